// Load buffering with copied values: nothing comes out of thin air.
//
// outcome: r1=0 r2=0
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  r1 = LOAD(x, relaxed);
  STORE(y, r1, relaxed);
}

THREAD(b) {
  r2 = LOAD(y, relaxed);
  STORE(x, r2, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
