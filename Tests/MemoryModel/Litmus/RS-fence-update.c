// A release sequence that begins with an update after a fence, and goes on with another thread's update.
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
  STORE(y, 1, relaxed);
  FENCE(release);
  ADD(x, 10, relaxed);
}

THREAD(b) {
  ADD(x, 1, relaxed);
}

THREAD(c) {
  r1 = LOAD(x, acquire);
  r2 = LOAD(y, relaxed);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
}
