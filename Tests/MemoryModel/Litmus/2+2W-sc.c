// Two threads write two locations in opposite order, sequentially consistent.
//
// outcome: x=1 y=2
// outcome: x=2 y=1
// outcome: x=2 y=2
#include "litmus.h"

static atomic_int x, y;

THREAD(a) {
  STORE(x, 1, seq_cst);
  STORE(y, 2, seq_cst);
}

THREAD(b) {
  STORE(y, 1, seq_cst);
  STORE(x, 2, seq_cst);
}

TEST {
  RUN(a, b);
  OBSERVE_FINAL(x);
  OBSERVE_FINAL(y);
}
