// Exchanges of three threads form a chain.
//
// outcome: r1=0 r2=1 r3=2
// outcome: r1=0 r2=3 r3=1
// outcome: r1=2 r2=0 r3=1
// outcome: r1=2 r2=3 r3=0
// outcome: r1=3 r2=0 r3=2
// outcome: r1=3 r2=1 r3=0
#include "litmus.h"

static atomic_int x;
REGISTERS(r1, r2, r3);

THREAD(a) {
  r1 = EXCHANGE(x, 1, relaxed);
}

THREAD(b) {
  r2 = EXCHANGE(x, 2, relaxed);
}

THREAD(c) {
  r3 = EXCHANGE(x, 3, relaxed);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}
