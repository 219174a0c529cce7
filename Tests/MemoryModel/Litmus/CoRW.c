// A load does not read its own thread's later write, nor one after it.
//
// outcome: r1=0 x=1
// outcome: r1=0 x=2
// outcome: r1=2 x=1
#include "litmus.h"

static atomic_int x;
REGISTERS(r1);

THREAD(a) {
  r1 = LOAD(x, relaxed);
  STORE(x, 1, relaxed);
}

THREAD(b) {
  STORE(x, 2, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE_FINAL(x);
}
