// R, sequentially consistent.
//
// outcome: r1=0 y=1
// outcome: r1=1 y=1
// outcome: r1=1 y=2
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1);

THREAD(a) {
  STORE(x, 1, seq_cst);
  STORE(y, 1, seq_cst);
}

THREAD(b) {
  STORE(y, 2, seq_cst);
  r1 = LOAD(x, seq_cst);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE_FINAL(y);
}
