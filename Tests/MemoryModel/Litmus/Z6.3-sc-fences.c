// Z6.3 with sequentially consistent fences.
//
// outcome: r1=0 r2=0 y=1
// outcome: r1=0 r2=0 y=2
// outcome: r1=0 r2=1 y=1
// outcome: r1=0 r2=1 y=2
// outcome: r1=1 r2=0 y=1
// outcome: r1=1 r2=1 y=1
// outcome: r1=1 r2=1 y=2
#include "litmus.h"

static atomic_int x, y, z;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, relaxed);
  FENCE(seq_cst);
  STORE(y, 1, relaxed);
}

THREAD(b) {
  STORE(y, 2, relaxed);
  FENCE(seq_cst);
  STORE(z, 1, relaxed);
}

THREAD(c) {
  r1 = LOAD(z, relaxed);
  FENCE(seq_cst);
  r2 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE_FINAL(y);
}
