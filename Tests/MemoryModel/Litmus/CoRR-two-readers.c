// Two readers see two writes of one location in the same order.
//
// outcome: r1=0 r2=0 r3=0 r4=0
// outcome: r1=0 r2=0 r3=0 r4=1
// outcome: r1=0 r2=0 r3=0 r4=2
// outcome: r1=0 r2=0 r3=1 r4=1
// outcome: r1=0 r2=0 r3=1 r4=2
// outcome: r1=0 r2=0 r3=2 r4=1
// outcome: r1=0 r2=0 r3=2 r4=2
// outcome: r1=0 r2=1 r3=0 r4=0
// outcome: r1=0 r2=1 r3=0 r4=1
// outcome: r1=0 r2=1 r3=0 r4=2
// outcome: r1=0 r2=1 r3=1 r4=1
// outcome: r1=0 r2=1 r3=1 r4=2
// outcome: r1=0 r2=1 r3=2 r4=1
// outcome: r1=0 r2=1 r3=2 r4=2
// outcome: r1=0 r2=2 r3=0 r4=0
// outcome: r1=0 r2=2 r3=0 r4=1
// outcome: r1=0 r2=2 r3=0 r4=2
// outcome: r1=0 r2=2 r3=1 r4=1
// outcome: r1=0 r2=2 r3=1 r4=2
// outcome: r1=0 r2=2 r3=2 r4=1
// outcome: r1=0 r2=2 r3=2 r4=2
// outcome: r1=1 r2=1 r3=0 r4=0
// outcome: r1=1 r2=1 r3=0 r4=1
// outcome: r1=1 r2=1 r3=0 r4=2
// outcome: r1=1 r2=1 r3=1 r4=1
// outcome: r1=1 r2=1 r3=1 r4=2
// outcome: r1=1 r2=1 r3=2 r4=1
// outcome: r1=1 r2=1 r3=2 r4=2
// outcome: r1=1 r2=2 r3=0 r4=0
// outcome: r1=1 r2=2 r3=0 r4=1
// outcome: r1=1 r2=2 r3=0 r4=2
// outcome: r1=1 r2=2 r3=1 r4=1
// outcome: r1=1 r2=2 r3=1 r4=2
// outcome: r1=1 r2=2 r3=2 r4=2
// outcome: r1=2 r2=1 r3=0 r4=0
// outcome: r1=2 r2=1 r3=0 r4=1
// outcome: r1=2 r2=1 r3=0 r4=2
// outcome: r1=2 r2=1 r3=1 r4=1
// outcome: r1=2 r2=1 r3=2 r4=1
// outcome: r1=2 r2=1 r3=2 r4=2
// outcome: r1=2 r2=2 r3=0 r4=0
// outcome: r1=2 r2=2 r3=0 r4=1
// outcome: r1=2 r2=2 r3=0 r4=2
// outcome: r1=2 r2=2 r3=1 r4=1
// outcome: r1=2 r2=2 r3=1 r4=2
// outcome: r1=2 r2=2 r3=2 r4=1
// outcome: r1=2 r2=2 r3=2 r4=2
#include "litmus.h"

static atomic_int x;
REGISTERS(r1, r2, r3, r4);

THREAD(a) {
  STORE(x, 1, relaxed);
}

THREAD(b) {
  STORE(x, 2, relaxed);
}

THREAD(c) {
  r1 = LOAD(x, relaxed);
  r2 = LOAD(x, relaxed);
}

THREAD(d) {
  r3 = LOAD(x, relaxed);
  r4 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b, c, d);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
  OBSERVE(r4);
}
