// Independent reads of independent writes with sequentially consistent fences between the loads: psc_F, through eco.
//
// outcome: r1=0 r2=0 r3=0 r4=0
// outcome: r1=0 r2=0 r3=0 r4=1
// outcome: r1=0 r2=0 r3=1 r4=0
// outcome: r1=0 r2=0 r3=1 r4=1
// outcome: r1=0 r2=1 r3=0 r4=0
// outcome: r1=0 r2=1 r3=0 r4=1
// outcome: r1=0 r2=1 r3=1 r4=0
// outcome: r1=0 r2=1 r3=1 r4=1
// outcome: r1=1 r2=0 r3=0 r4=0
// outcome: r1=1 r2=0 r3=0 r4=1
// outcome: r1=1 r2=0 r3=1 r4=1
// outcome: r1=1 r2=1 r3=0 r4=0
// outcome: r1=1 r2=1 r3=0 r4=1
// outcome: r1=1 r2=1 r3=1 r4=0
// outcome: r1=1 r2=1 r3=1 r4=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2, r3, r4);

THREAD(a) {
  STORE(x, 1, relaxed);
}

THREAD(b) {
  STORE(y, 1, relaxed);
}

THREAD(c) {
  r1 = LOAD(x, relaxed);
  FENCE(seq_cst);
  r2 = LOAD(y, relaxed);
}

THREAD(d) {
  r3 = LOAD(y, relaxed);
  FENCE(seq_cst);
  r4 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b, c, d);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
  OBSERVE(r4);
}
