// S with release and acquire: the write of the reader comes later.
//
// outcome: r1=0 x=1
// outcome: r1=0 x=2
// outcome: r1=1 x=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1);

THREAD(a) {
  STORE(x, 2, relaxed);
  STORE(y, 1, release);
}

THREAD(b) {
  r1 = LOAD(y, acquire);
  STORE(x, 1, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE_FINAL(x);
}
