// No store comes between the two halves of an addition.
//
// outcome: r1=0 x=10
// outcome: r1=10 x=11
#include "litmus.h"

static atomic_int x;
REGISTERS(r1);

THREAD(a) {
  r1 = ADD(x, 1, relaxed);
}

THREAD(b) {
  STORE(x, 10, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE_FINAL(x);
}
