// Load buffering. RC11 forbids cycles of program order and reads-from, so it forbids this; C11 and POWER allow it.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  r1 = LOAD(x, relaxed);
  STORE(y, 1, relaxed);
}

THREAD(b) {
  r2 = LOAD(y, relaxed);
  STORE(x, 1, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
