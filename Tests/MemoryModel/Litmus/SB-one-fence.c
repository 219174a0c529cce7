// Store buffering. A fence in one thread alone orders nothing.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, relaxed);
  FENCE(seq_cst);
  r1 = LOAD(y, relaxed);
}

THREAD(b) {
  STORE(y, 1, relaxed);
  r2 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
