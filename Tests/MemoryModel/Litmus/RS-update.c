// A release sequence goes on with updates of any thread, also relaxed ones. The value 11 is an update after the release.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
// outcome: r1=1 r2=1
// outcome: r1=10 r2=1
// outcome: r1=11 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, relaxed);
  STORE(y, 10, release);
}

THREAD(b) {
  ADD(y, 1, relaxed);
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
