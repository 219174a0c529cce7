#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fork_guard.h"
#include "rcu.h"
#include "thread_index.h"

int cp_is_forked_child;

// The ranges to hide. A list, because a process has few machines.
struct hidden_range {
  void *start;
  size_t bytes;
  struct hidden_range *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hidden_range *ranges;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// Held over the fork, so that the child finds the list whole. Nothing is called under this lock that could fork.
static void before_fork(void) { pthread_mutex_lock(&lock); }

static void after_fork_in_parent(void) { pthread_mutex_unlock(&lock); }

// Runs between `fork` and the child's first instruction, and calls only what a signal handler could.
static void after_fork_in_child(void) {
  cp_is_forked_child = 1;
  // Mapped anew rather than unmapped: nothing else can come to lie where an old pointer leads.
  for (struct hidden_range *range = ranges; range; range = range->next) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (mmap(range->start, range->bytes, PROT_NONE, flags, -1, 0) == MAP_FAILED) munmap(range->start, range->bytes);
  }
  // The thread's next section, and its next look at its number, go the slow way and end the child there. A section that
  // is open stays open: its end must find the thread's record. In it the child can read tables of its own, but no
  // physical memory.
  if (!cp_read_ongoing()) URCU_TLS(urcu_bp_reader) = 0;
  cp_thread_index_plus_one = 0;
  pthread_mutex_unlock(&lock);
}

static void install(void) {
  if (pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0) abort();
}

void cp_install_fork_guard(void) { pthread_once(&once, install); }

void cp_refuse_forked_child(void) {
  static const char message[] =
      "UserPages: this process was forked from one that uses the library, and cannot use it. "
      "Call exec in the child, start it by posix_spawn, or fork before the first use.\n";
  // Nothing can be done about a failure to say so.
  if (write(STDERR_FILENO, message, sizeof message - 1) < 0) abort();
  abort();
}

int cp_hide_from_children(void *start, size_t bytes) {
  cp_install_fork_guard();
  struct hidden_range *range = malloc(sizeof *range);
  if (!range) return -ENOMEM;
  range->start = start;
  range->bytes = bytes;
  pthread_mutex_lock(&lock);
  range->next = ranges;
  ranges = range;
  pthread_mutex_unlock(&lock);
  return 0;
}

void cp_end_hiding(void *start) {
  struct hidden_range *found = 0;
  pthread_mutex_lock(&lock);
  for (struct hidden_range **link = &ranges; *link; link = &(*link)->next) {
    if ((*link)->start != start) continue;
    found = *link;
    *link = found->next;
    break;
  }
  pthread_mutex_unlock(&lock);
  free(found);
}
