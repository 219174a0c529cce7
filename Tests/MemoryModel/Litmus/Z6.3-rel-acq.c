// Z6.3 with release and acquire: modification order is not happens-before.
//
// outcome: r1=0 r2=0 y=1
// outcome: r1=0 r2=0 y=2
// outcome: r1=0 r2=1 y=1
// outcome: r1=0 r2=1 y=2
// outcome: r1=1 r2=0 y=1
// outcome: r1=1 r2=0 y=2
// outcome: r1=1 r2=1 y=1
// outcome: r1=1 r2=1 y=2
#include "litmus.h"

static atomic_int x, y, z;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, release);
  STORE(y, 1, release);
}

THREAD(b) {
  STORE(y, 2, release);
  STORE(z, 1, release);
}

THREAD(c) {
  r1 = LOAD(z, acquire);
  r2 = LOAD(x, acquire);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE_FINAL(y);
}
