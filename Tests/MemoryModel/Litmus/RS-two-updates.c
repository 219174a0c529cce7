// A release sequence through two relaxed updates of different threads.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
// outcome: r1=1 r2=1
// outcome: r1=10 r2=0
// outcome: r1=10 r2=1
// outcome: r1=100 r2=1
// outcome: r1=101 r2=1
// outcome: r1=11 r2=0
// outcome: r1=11 r2=1
// outcome: r1=110 r2=1
// outcome: r1=111 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, relaxed);
  STORE(y, 100, release);
}

THREAD(b) {
  ADD(y, 1, relaxed);
}

THREAD(c) {
  ADD(y, 10, relaxed);
}

THREAD(d) {
  r1 = LOAD(y, acquire);
  r2 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b, c, d);
  OBSERVE(r1);
  OBSERVE(r2);
}
