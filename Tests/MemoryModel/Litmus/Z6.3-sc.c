// Z6.3, sequentially consistent.
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
  STORE(x, 1, seq_cst);
  STORE(y, 1, seq_cst);
}

THREAD(b) {
  STORE(y, 2, seq_cst);
  STORE(z, 1, seq_cst);
}

THREAD(c) {
  r1 = LOAD(z, seq_cst);
  r2 = LOAD(x, seq_cst);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE_FINAL(y);
}
