// Store buffering by exchanges that acquire and release. As weak as stores.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  EXCHANGE(x, 1, acq_rel);
  r1 = LOAD(y, acquire);
}

THREAD(b) {
  EXCHANGE(y, 1, acq_rel);
  r2 = LOAD(x, acquire);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
