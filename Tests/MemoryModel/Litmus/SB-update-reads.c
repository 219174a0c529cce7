// Store buffering with updates by zero for loads, which acquire and release. An update reads some write: the two may still
// both read the initialisation.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, relaxed);
  r1 = ADD(y, 0, acq_rel);
}

THREAD(b) {
  STORE(y, 1, relaxed);
  r2 = ADD(x, 0, acq_rel);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
