// A lock with a relaxed release does not order what it protects.
//
// fails: data race
#include "litmus.h"

static atomic_int locked;
static int count;

static void lock(void) {
  while (compare_exchange(&locked, 0, 1, memory_order_acquire) != 0) {
  }
}
static void unlock(void) { STORE(locked, 0, relaxed); }

THREAD(a) {
  lock();
  count++;
  unlock();
}

THREAD(b) {
  lock();
  count++;
  unlock();
}

TEST {
  RUN(a, b);
  OBSERVE(count);
}
