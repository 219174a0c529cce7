// A load does not read a write older than its own thread's.
//
// outcome: r1=1 x=1
// outcome: r1=1 x=2
// outcome: r1=2 x=2
#include "litmus.h"

static atomic_int x;
REGISTERS(r1);

THREAD(a) {
  STORE(x, 1, relaxed);
  r1 = LOAD(x, relaxed);
}

THREAD(b) {
  STORE(x, 2, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE_FINAL(x);
}
