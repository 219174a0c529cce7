// Runs programs of two halves: one after the other in given orders, or both at once many times.
//
// A program is a first line `halves`, statements, `par`, statements, `and`, statements, `end`, statements, and then
// commands:
//
// - `order 0110`: the statements before `par`, then those of the halves in this order (0 is the first half), then those
//   after `end`. Prints a line with all answers.
// - `race MOST FEWEST GOAL SEED`: the same, with the halves on two threads that start together, MOST times; or, after
//   FEWEST times, until GOAL different outcomes have come out. Prints a line `TIMES ANSWERS` for each different
//   outcome: the answers of the halves and of the statements after `end`.
//
// A statement that begins with `+ ` goes on with the one before it in its half. It is skipped if that one failed.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "race.h"

enum { longest_part = 128, most_outcomes = 256, patience_in_seconds = 120 };

enum part { setup, first_half, second_half, looks, part_count };

static struct {
  struct step step[longest_part];
  int count;
} parts[part_count];

// MARK: Two threads

static _Atomic unsigned arrivals;
static _Atomic unsigned delay[2];
static unsigned race_round;
static pthread_mutex_t round_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t round_changed = PTHREAD_COND_INITIALIZER;
static bool partner_is_done = true;

static void run_step(struct step *step, const struct step *before) {
  step->was_skipped = step->continues && has_failed(before);
  if (!step->was_skipped) perform_step(step);
}

static void run_part(enum part part) {
  for (int i = 0; i < parts[part].count; i++) {
    struct step *step = &parts[part].step[i];
    run_step(step, step - 1);
    // A processor may hold a store back while it does the next load. Whole statements have an order, so the store comes
    // first.
    atomic_thread_fence(memory_order_seq_cst);
  }
}

// Both threads start together, but for a delay.
static void run_half(enum part half) {
  unsigned both = (atomic_fetch_add(&arrivals, 1) + 2) / 2 * 2;
  for (unsigned turns = 0; atomic_load(&arrivals) < both; turns++)
    // The other thread may need this processor.
    if (turns > 2000) sched_yield();
  for (volatile unsigned i = atomic_load(&delay[half - first_half]); i > 0; i--) {
  }
  run_part(half);
}

static void *partner(void *unused) {
  (void)unused;
  for (unsigned seen = 0;;) {
    pthread_mutex_lock(&round_lock);
    while (race_round == seen) pthread_cond_wait(&round_changed, &round_lock);
    seen = race_round;
    pthread_mutex_unlock(&round_lock);
    run_half(second_half);
    pthread_mutex_lock(&round_lock);
    partner_is_done = true;
    pthread_cond_signal(&round_changed);
    pthread_mutex_unlock(&round_lock);
  }
  return NULL;
}

static void race_halves(void) {
  pthread_mutex_lock(&round_lock);
  race_round++;
  partner_is_done = false;
  pthread_cond_signal(&round_changed);
  pthread_mutex_unlock(&round_lock);
  run_half(first_half);
  pthread_mutex_lock(&round_lock);
  while (!partner_is_done) pthread_cond_wait(&round_changed, &round_lock);
  pthread_mutex_unlock(&round_lock);
}

// MARK: Commands

static void put_answers(FILE *to, enum part from) {
  const char *space = "";
  for (enum part part = from; part < part_count; part++) {
    for (int i = 0; i < parts[part].count; i++) {
      fputs(space, to);
      put_answer(to, &parts[part].step[i]);
      space = " ";
    }
  }
}

// A run that hangs ends the process. The next run has as long again.
static void begin_run(void) {
  alarm(patience_in_seconds);
  renew_files();
}

static void run_order(const char *order) {
  begin_run();
  run_part(setup);
  int next[2] = {0};
  for (; *order; order++) {
    int half = *order == '1';
    if (next[half] == parts[first_half + half].count) oracle_die("an order is too long");
    struct step *step = &parts[first_half + half].step[next[half]++];
    run_step(step, step - 1);
  }
  run_part(looks);
  put_answers(stdout, setup);
  putchar('\n');
  clear_steps();
}

static uint64_t random_state;

static unsigned roll(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (unsigned)(random_state >> 32);
}

// Mostly one half is a little later than the other: some nanoseconds to some microseconds.
static void choose_delays(void) {
  unsigned late = roll() % 2;
  atomic_store(&delay[late], roll() & ((1u << roll() % 12) - 1));
  atomic_store(&delay[1 - late], 0);
}

static void run_many(uint64_t most, uint64_t fewest, uint64_t goal, uint64_t seed) {
  static struct {
    char *text;
    uint64_t times;
  } outcomes[most_outcomes];
  int count = 0;
  random_state = seed | 1;
  for (uint64_t i = 0; i < most && (i < fewest || (uint64_t)count < goal); i++) {
    begin_run();
    run_part(setup);
    choose_delays();
    race_halves();
    run_part(looks);
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    if (!to) oracle_die("open_memstream");
    put_answers(to, first_half);
    fclose(to);
    clear_steps();
    int same = 0;
    while (same < count && strcmp(outcomes[same].text, text) != 0) same++;
    if (same == most_outcomes) printf("1 %s\n", text);
    if (same == count && count < most_outcomes) outcomes[count++].text = text;
    else free(text);
    if (same < most_outcomes) outcomes[same].times++;
  }
  for (int i = 0; i < count; i++) {
    printf("%llu %s\n", (unsigned long long)outcomes[i].times, outcomes[i].text);
    free(outcomes[i].text);
    outcomes[i].text = NULL;
    outcomes[i].times = 0;
  }
}

// MARK: Programs

static void take_line(char *line, enum part *part) {
  if (strcmp(line, "par") == 0) {
    *part = first_half;
  } else if (strcmp(line, "and") == 0) {
    *part = second_half;
  } else if (strcmp(line, "end") == 0) {
    *part = looks;
  } else {
    if (parts[*part].count == longest_part) oracle_die("a part has too many statements");
    parts[*part].count += parse_step(line, &parts[*part].step[parts[*part].count]);
  }
}

static void run_program(char *text) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  leave_one_processor();
  prepare_steps();
  pthread_t thread;
  if (pthread_create(&thread, NULL, partner, NULL) != 0) oracle_die("pthread_create");
  enum part part = setup;
  char *rest;
  // The first line is `halves`.
  strtok_r(text, "\n", &rest);
  for (char *line; (line = strtok_r(NULL, "\n", &rest));) {
    unsigned long long most, fewest, goal, seed;
    if (strncmp(line, "order ", 6) == 0) run_order(line + 6);
    else if (sscanf(line, "race %llu %llu %llu %llu", &most, &fewest, &goal, &seed) == 4) run_many(most, fewest, goal, seed);
    else take_line(line, &part);
  }
}

bool is_race(const char *text) { return strncmp(text, "halves\n", 7) == 0; }

void run_race(char *text) {
  fflush(stdout);
  pid_t child = fork();
  if (child < 0) oracle_die("fork");
  if (child == 0) {
    run_program(text);
    fflush(stdout);
    _exit(0);
  }
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) oracle_die("waitpid");
  if (status != 0) oracle_die(WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "a race ended");
}
