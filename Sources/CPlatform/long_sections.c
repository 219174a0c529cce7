#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "fork_guard.h"
#include "long_sections.h"
#include "rcu.h"
#include "service_thread.h"

// liburcu waits for readers in a function of its own, so another thread watches. A grace period that begins starts
// that thread, if there is none. It looks four times in the limit, and ends when no grace period has begun between two
// looks. A grace period reads no clock: the thread counts from the look that met it first. A program with one reader,
// which runs the grace periods itself, never has the thread.

struct cp_grace_watch cp_grace_watch;

/// A thread that liburcu knows as a reader.
struct reader {
  /// What liburcu keeps of the reader. Its memory stays when the thread has ended, and may serve another thread.
  struct urcu_bp_reader *state;
  pthread_t thread;
  int32_t number;
  /// The last grace period for which a section of this thread was reported.
  uint64_t reported;
  struct reader *next;
  struct reader **link;
};

// Guards what follows, but for the limit, which is also read without it.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static struct reader *readers;
static uint64_t limit = UINT64_C(10000000000);
static int (*handler)(int32_t, uint64_t);

// The least time between two looks.
static const uint64_t shortest_sleep = 1000000;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void start_watching(void);

static void unlist(void *value) {
  struct reader *reader = value;
  // A forked child's thread may end. The lock's holder did not come along.
  if (cp_is_forked_child) return;
  pthread_mutex_lock(&lock);
  __atomic_sub_fetch(&cp_grace_watch.readers, 1, __ATOMIC_SEQ_CST);
  *reader->link = reader->next;
  if (reader->next) reader->next->link = reader->link;
  pthread_mutex_unlock(&lock);
  free(reader);
}

static void prepare(void) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&changed, &attributes);
  pthread_condattr_destroy(&attributes);
  if (pthread_key_create(&key, unlist) != 0) abort();
}

void cp_list_reader(void) {
  pthread_once(&once, prepare);
  struct reader *known = pthread_getspecific(key);
  struct reader *reader = known ? known : calloc(1, sizeof *reader);
  // Without memory the thread is not listed, and its sections are not reported.
  if (!reader) return;
  pthread_mutex_lock(&lock);
  // A destructor of another key may register a thread again, in another place.
  reader->state = URCU_TLS(urcu_bp_reader);
  if (!known) {
    reader->thread = pthread_self();
    reader->number = gettid();
    reader->next = readers;
    reader->link = &readers;
    if (readers) readers->link = &reader->next;
    readers = reader;
  }
  pthread_mutex_unlock(&lock);
  if (known) return;
  pthread_setspecific(key, reader);
  // ORDERING [begin-then-watch]: the reader is counted, then the grace period is looked for.
  __atomic_add_fetch(&cp_grace_watch.readers, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&cp_grace_watch.periods, __ATOMIC_SEQ_CST) & 1) start_watching();
}

uint64_t cp_long_section_limit(void) { return __atomic_load_n(&limit, __ATOMIC_SEQ_CST); }

void cp_set_long_section_limit(uint64_t nanoseconds) {
  cp_check_not_forked();
  pthread_once(&once, prepare);
  pthread_mutex_lock(&lock);
  // ORDERING [begin-then-watch]: the limit is set, then the grace period is looked for.
  __atomic_store_n(&limit, nanoseconds, __ATOMIC_SEQ_CST);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  if (__atomic_load_n(&cp_grace_watch.periods, __ATOMIC_SEQ_CST) & 1) start_watching();
}

void cp_on_long_section(int (*new_handler)(int32_t, uint64_t)) {
  cp_check_not_forked();
  pthread_mutex_lock(&lock);
  handler = new_handler;
  pthread_mutex_unlock(&lock);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/// Whether the grace period under way waits for a section of the thread: one from before liburcu turned the phase.
///
/// The phase is read on both sides of the section: a phase that turned in between says nothing about it. A thread at
/// its end may share its place with a new one, so the place's owner is compared. Readers store without a lock: a look
/// may be late.
__attribute__((no_sanitize("thread"))) static int is_waited_for(const struct reader *reader) {
  unsigned long phase = *(volatile unsigned long *)&urcu_bp_gp.ctr;
  unsigned long section = *(volatile unsigned long *)&reader->state->ctr;
  pthread_t owner = *(volatile pthread_t *)&reader->state->tid;
  return (section & URCU_BP_GP_CTR_NEST_MASK) && ((section ^ phase) & URCU_BP_GP_CTR_PHASE) &&
         *(volatile unsigned long *)&urcu_bp_gp.ctr == phase && pthread_equal(owner, reader->thread);
}

/// Reports the sections that grace period `period` has waited for. Under the lock, which it gives up for the handler.
static void report(uint64_t period, uint64_t nanoseconds) {
  for (;;) {
    int32_t found[16];
    int count = 0;
    for (struct reader *reader = readers; reader && count < 16; reader = reader->next) {
      if (reader->reported == period || !is_waited_for(reader)) continue;
      reader->reported = period;
      found[count++] = reader->number;
    }
    // If the grace period has ended, the looks may have met sections that a later one waits for.
    if (count == 0 || __atomic_load_n(&cp_grace_watch.periods, __ATOMIC_SEQ_CST) != period) return;
    int (*call)(int32_t, uint64_t) = handler;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < count; i++) {
      if (call && call(found[i], nanoseconds)) continue;
      dprintf(STDERR_FILENO,
              "user-pages: thread %d is in a read-side section that a grace period has waited %.3f s for\n",
              found[i], (double)nanoseconds / 1e9);
    }
    pthread_mutex_lock(&lock);
  }
}

/// Sleeps until `time`, or until the limit changes, or for no reason. Under the lock.
static void sleep_until(uint64_t time) {
  struct timespec until = {.tv_sec = (time_t)(time / 1000000000), .tv_nsec = (long)(time % 1000000000)};
  pthread_cond_timedwait(&changed, &lock, &until);
}

static void *watch(void *unused) {
  (void)unused;
  uint64_t before = UINT64_MAX, since = 0;
  pthread_mutex_lock(&lock);
  for (;;) {
    uint64_t period = __atomic_load_n(&cp_grace_watch.periods, __ATOMIC_SEQ_CST), time = now();
    if (limit == 0 || (period == before && !(period & 1))) {
      // ORDERING [begin-then-watch]: the flag, then the count.
      __atomic_store_n(&cp_grace_watch.is_watching, 0, __ATOMIC_SEQ_CST);
      if (limit == 0 || __atomic_load_n(&cp_grace_watch.periods, __ATOMIC_SEQ_CST) == period) break;
      if (__atomic_exchange_n(&cp_grace_watch.is_watching, 1, __ATOMIC_SEQ_CST)) break;
      continue;
    }
    if (period != before) since = time;
    before = period;
    if ((period & 1) && time - since >= limit) report(period, time - since);
    uint64_t pause = limit / 4 > shortest_sleep ? limit / 4 : shortest_sleep;
    uint64_t next = now() + pause, due = since + limit;
    sleep_until((period & 1) && time < due && due < next ? due : next);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

static void start_watching(void) {
  if (cp_long_section_limit() == 0 || __atomic_exchange_n(&cp_grace_watch.is_watching, 1, __ATOMIC_SEQ_CST)) return;
  // A process without a thread to spare goes unwatched until its next grace period.
  if (cp_start_thread(NULL, "gup-sections", watch, NULL) != 0) {
    __atomic_store_n(&cp_grace_watch.is_watching, 0, __ATOMIC_SEQ_CST);
  }
}

void cp_watch_grace_period(void) {
  pthread_once(&once, prepare);
  // The calling thread is in no section.
  int own = pthread_getspecific(key) != NULL;
  if (__atomic_load_n(&cp_grace_watch.readers, __ATOMIC_SEQ_CST) > own) start_watching();
}
