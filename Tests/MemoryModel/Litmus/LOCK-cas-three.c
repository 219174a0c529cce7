// A lock by compare-and-exchange: three threads count plainly.
//
// outcome: count=3
#include "litmus.h"

static atomic_int locked;
static int count;

static void lock(void) {
  while (compare_exchange(&locked, 0, 1, memory_order_acquire) != 0) {
  }
}
static void unlock(void) { STORE(locked, 0, release); }

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

THREAD(c) {
  lock();
  count++;
  unlock();
}

TEST {
  RUN(a, b, c);
  OBSERVE(count);
}
