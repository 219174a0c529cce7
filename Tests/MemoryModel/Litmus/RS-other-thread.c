// A store of another thread ends a release sequence.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=1
// outcome: r1=2 r2=0
// outcome: r1=2 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, relaxed);
  STORE(y, 1, release);
}

THREAD(b) {
  STORE(y, 2, relaxed);
}

THREAD(c) {
  r1 = LOAD(y, acquire);
  r2 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
}
