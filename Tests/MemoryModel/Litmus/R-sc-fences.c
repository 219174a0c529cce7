// R with sequentially consistent fences.
//
// outcome: r1=0 y=1
// outcome: r1=1 y=1
// outcome: r1=1 y=2
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1);

THREAD(a) {
  STORE(x, 1, relaxed);
  FENCE(seq_cst);
  STORE(y, 1, relaxed);
}

THREAD(b) {
  STORE(y, 2, relaxed);
  FENCE(seq_cst);
  r1 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE_FINAL(y);
}
