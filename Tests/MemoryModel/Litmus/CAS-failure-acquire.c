// A compare-and-exchange that fails has its failure order, though that is stronger than the order of its success.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(y, 1, relaxed);
  STORE(x, 1, release);
}

THREAD(b) {
  int expected = 7;
  atomic_compare_exchange_strong_explicit(&x, &expected, 8, memory_order_relaxed, memory_order_acquire);
  r1 = expected;
  r2 = LOAD(y, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
