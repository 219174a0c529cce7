// SB: a compare-and-exchange that fails is a sequentially consistent load.
//
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

static int failed_exchange(atomic_int *location) {
  int expected = 7;
  atomic_compare_exchange_strong(location, &expected, 8);
  return expected;
}

THREAD(a) {
  STORE(x, 1, seq_cst);
  r1 = failed_exchange(&y);
}

THREAD(b) {
  STORE(y, 1, seq_cst);
  r2 = failed_exchange(&x);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
