// Store buffering, sequentially consistent: one thread sees the other's store.
//
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, seq_cst);
  r1 = LOAD(y, seq_cst);
}

THREAD(b) {
  STORE(y, 1, seq_cst);
  r2 = LOAD(x, seq_cst);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
