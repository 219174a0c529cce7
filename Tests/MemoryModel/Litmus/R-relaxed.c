// R: a write that comes last, and a load after it that misses what came before the other.
//
// outcome: r1=0 y=1
// outcome: r1=0 y=2
// outcome: r1=1 y=1
// outcome: r1=1 y=2
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1);

THREAD(a) {
  STORE(x, 1, relaxed);
  STORE(y, 1, relaxed);
}

THREAD(b) {
  STORE(y, 2, relaxed);
  r1 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE_FINAL(y);
}
