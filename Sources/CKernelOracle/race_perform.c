// Performs the statements of a program of two halves.
//
// The calling process is the first space. Each forked space is a process that serves one request at a time: a half that
// asks for an operation there waits for it. So two halves race on the memory of the first space, or on memory that it
// shares with another.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "race.h"

// The mailbox of a forked space. An odd turn is the space's.
struct box {
  _Atomic uint32_t turn;
  struct request request;
  int64_t result;
  unsigned char bytes[longest_operand];
};

static struct box *boxes;
static pid_t process[race_spaces];
static pthread_mutex_t box_lock[race_spaces];

static struct held {
  bool used;
  uint64_t address, pages;
  bool is_reference;
} held[max_pins];
// The ring and the passage have room for one transfer at a time.
static pthread_mutex_t passage_lock = PTHREAD_MUTEX_INITIALIZER;

static bool is(const char *word, const char *text) { return strcmp(word, text) == 0; }

// MARK: Forked spaces

static void await_turn(struct box *box, uint32_t parity) {
  for (;;) {
    uint32_t turn = atomic_load_explicit(&box->turn, memory_order_acquire);
    if (turn % 2 == parity) return;
    syscall(SYS_futex, &box->turn, FUTEX_WAIT, turn, NULL, NULL, 0);
  }
}

static void give_turn(struct box *box) {
  atomic_fetch_add_explicit(&box->turn, 1, memory_order_release);
  syscall(SYS_futex, &box->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void serve_box(struct box *box) __attribute__((noreturn));

static void serve_box(struct box *box) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    await_turn(box, 1);
    box->result = perform(&box->request);
    give_turn(box);
  }
}

static int64_t ask_box(int space, const struct request *request) {
  struct box *box = &boxes[space];
  bool moves = request->operation == op_read || request->operation == op_write;
  pthread_mutex_lock(&box_lock[space]);
  box->request = *request;
  box->request.bytes = box->bytes;
  if (request->operation == op_write) memcpy(box->bytes, request->bytes, request->number[1]);
  give_turn(box);
  await_turn(box, 0);
  int64_t result = box->result;
  if (moves && request->operation == op_read) memcpy(request->bytes, box->bytes, request->number[1]);
  pthread_mutex_unlock(&box_lock[space]);
  return result;
}

static int64_t fork_space(int child) {
  atomic_store(&boxes[child].turn, 0);
  // Without what fork(3) does for the C library: the new process calls nothing that locks.
  long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid < 0) return -errno;
  if (pid == 0) serve_box(&boxes[child]);
  process[child] = (pid_t)pid;
  return 0;
}

static int64_t end_space(int space) {
  if (process[space] <= 0) return -EINVAL;
  kill(process[space], SIGKILL);
  while (waitpid(process[space], NULL, 0) < 0 && errno == EINTR) {
  }
  process[space] = 0;
  return 0;
}

// MARK: Performing

static int64_t ask(int space, const struct request *request) {
  if (space == 0) return perform(request);
  return process[space] > 0 ? ask_box(space, request) : -EINVAL;
}

static int64_t use_file(struct step *step) {
  int fd = step->other;
  if (fd < 0) return -EINVAL;
  if (is(step->verb, "truncate")) return change_length(fd, step->offset);
  if (is(step->verb, "punch")) return punch_hole(fd, step->offset * page_size, step->count * page_size);
  bool writes = is(step->verb, "writefile");
  ssize_t done = writes ? pwrite(fd, step->bytes, step->count, (off_t)step->offset)
                        : pread(fd, step->bytes, step->count, (off_t)step->offset);
  return done < 0 ? -errno : writes ? 0 : done;
}

static int64_t use_pin(struct step *step) {
  struct held *pin = &held[step->other];
  if (!pin->used) return -EINVAL;
  if (is(step->verb, "release")) {
    if (pin->is_reference) drop_references(step->other);
    else drop_pins(step->other, pin->pages);
    pin->used = false;
    return 0;
  }
  uint64_t length = pin->pages * page_size;
  if (step->offset > length || step->count > length - step->offset) return -EINVAL;
  bool writes = is(step->verb, "poke");
  if (writes && pin->is_reference) oracle_die("a reference for reading is no way to write");
  pthread_mutex_lock(&passage_lock);
  if (pin->is_reference) peek_references(step->other, pin->pages, step->offset, step->count, step->bytes);
  else move_through_pin(step->other, writes, pin->address, step->offset, step->count, step->bytes);
  pthread_mutex_unlock(&passage_lock);
  return writes ? 0 : (int64_t)step->count;
}

void perform_step(struct step *step) {
  switch (step->kind) {
    case changes_memory:
      step->result = ask(step->space, &step->request);
      return;
    case accesses_memory:
      step->result = ask(step->space, &step->request);
      if (step->result == 0 && step->request.operation == op_read) step->result = (int64_t)step->count;
      return;
    case accesses_remotely: {
      pid_t of = step->space == 0 ? getpid() : process[step->space];
      bool writes = step->request.operation == op_write;
      step->result = of > 0 ? copy_remotely(of, writes, step->request.number[0], step->bytes, step->count) : -EINVAL;
      return;
    }
    case uses_file:
      step->result = use_file(step);
      return;
    case takes_pin: {
      step->result = ask(step->space, &step->request);
      struct held *pin = &held[step->other];
      pin->used = step->result >= 0;
      pin->is_reference = step->request.operation == op_reference;
      pin->address = step->request.number[0];
      pin->pages = pin->used ? (uint64_t)step->result : 0;
      return;
    }
    case uses_pin:
      step->result = use_pin(step);
      return;
    case forks:
      step->result = fork_space(step->other);
      return;
    case exits:
      step->result = end_space(step->space);
  }
}

void prepare_steps(void) {
  boxes = mmap(NULL, sizeof *boxes * race_spaces, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (boxes == MAP_FAILED) oracle_die("mmap");
  for (int i = 0; i < race_spaces; i++) pthread_mutex_init(&box_lock[i], NULL);
  catch_faults();
}

void clear_steps(void) {
  for (int i = 0; i < max_pins; i++) {
    if (!held[i].used) continue;
    if (held[i].is_reference) drop_references(i);
    else drop_pins(i, held[i].pages);
    held[i].used = false;
  }
  for (int i = 1; i < race_spaces; i++)
    if (process[i] > 0) end_space(i);
  // The oracle has nothing there: see include/kernel_oracle.h.
  const uintptr_t lowest = 0x10000, ceiling = UINT64_C(0x400000000000);
  if (munmap((void *)lowest, ceiling - lowest) != 0) oracle_die("munmap");
}
