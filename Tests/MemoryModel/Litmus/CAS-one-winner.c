// Of two compare-and-exchanges with one expectation one succeeds.
//
// outcome: r1=0 r2=1
// outcome: r1=2 r2=0
#include "litmus.h"

static atomic_int x;
REGISTERS(r1, r2);

THREAD(a) {
  r1 = compare_exchange(&x, 0, 1, memory_order_relaxed);
}

THREAD(b) {
  r2 = compare_exchange(&x, 0, 2, memory_order_relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
