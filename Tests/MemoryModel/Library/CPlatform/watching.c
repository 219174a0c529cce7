// In place of the clock and the sleep of the thread that watches grace periods. Time passes once, in a program that asks
// for it. So the others report nothing.
#include <pthread.h>
#include <time.h>

#include "checked.h"
#include "futex.h"
#include "long_sections.h"
#include "rcu.h"

struct urcu_bp_gp urcu_bp_gp;
__thread struct urcu_bp_reader mm_reader;

// Whether the watching thread has slept since a thread began to wait for that.
static uint32_t has_slept;

// Seconds: longer than any section's limit.
enum { long_time = 100 };
static int is_long, elapsed, reports;

static int count_report(int32_t thread, uint64_t nanoseconds) {
  __atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED);
  return 1;
}

void mm_begin_long_section(void) {
  is_long = 1;
  mm_reader.ctr = 1;
  mm_reader.tid = pthread_self();
  // The grace period has turned the phase.
  urcu_bp_gp.ctr = URCU_BP_GP_CTR_PHASE;
  cp_on_long_section(count_report);
}

int mm_reports(void) { return __atomic_load_n(&reports, __ATOMIC_RELAXED); }

int mm_clock_gettime(clockid_t clock, struct timespec *time) {
  *time = (struct timespec){.tv_sec = __atomic_load_n(&elapsed, __ATOMIC_RELAXED)};
  return 0;
}

// Relaxed: the checked code alone orders the two sides.
int mm_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
  pthread_mutex_unlock(mutex);
  if (is_long && !__atomic_load_n(&elapsed, __ATOMIC_RELAXED)) __atomic_store_n(&elapsed, long_time, __ATOMIC_RELAXED);
  if (!__atomic_load_n(&has_slept, __ATOMIC_RELAXED)) {
    __atomic_store_n(&has_slept, 1, __ATOMIC_RELAXED);
    mm_futex_wake(&has_slept, 1);
  }
  mm_pause();
  pthread_mutex_lock(mutex);
  return 0;
}

void mm_await_watch(void) {
  __atomic_store_n(&has_slept, 0, __ATOMIC_RELAXED);
  while (!__atomic_load_n(&has_slept, __ATOMIC_RELAXED)) mm_futex_wait(&has_slept, 0);
}

int mm_listed_readers(void) { return __atomic_load_n(&cp_grace_watch.readers, __ATOMIC_RELAXED); }

int mm_is_watched(void) { return __atomic_load_n(&cp_grace_watch.is_watching, __ATOMIC_RELAXED); }
