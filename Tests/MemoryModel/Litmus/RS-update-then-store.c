// An update of another thread goes on with a release sequence. A store of that thread after its update does not.
//
// outcome: r1=0 r2=0 r3=0
// outcome: r1=0 r2=0 r3=1
// outcome: r1=0 r2=1 r3=0
// outcome: r1=0 r2=1 r3=1
// outcome: r1=1 r2=1 r3=0
// outcome: r1=1 r2=1 r3=1
// outcome: r1=10 r2=0 r3=0
// outcome: r1=10 r2=1 r3=0
// outcome: r1=11 r2=1 r3=1
// outcome: r1=20 r2=0 r3=0
// outcome: r1=20 r2=0 r3=1
// outcome: r1=20 r2=1 r3=0
// outcome: r1=20 r2=1 r3=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2, r3);

THREAD(a) {
  STORE(y, 1, relaxed);
  STORE(x, 1, release);
}

THREAD(b) {
  r3 = ADD(x, 10, relaxed);
  STORE(x, 20, relaxed);
}

THREAD(c) {
  r1 = LOAD(x, acquire);
  r2 = LOAD(y, relaxed);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}
