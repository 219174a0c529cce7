// Two relaxed additions: none is lost.
//
// outcome: r1=0 r2=1 x=2
// outcome: r1=1 r2=0 x=2
#include "litmus.h"

static atomic_int x;
REGISTERS(r1, r2);

THREAD(a) {
  r1 = ADD(x, 1, relaxed);
}

THREAD(b) {
  r2 = ADD(x, 1, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE_FINAL(x);
}
