// Release and acquire alone do not order sequentially consistent accesses of different locations, in RC11: the writer has nothing but
// its two stores to `x`. Beside `SC-hop`.
//
// outcome: r1=0 r2=0 r3=0
// outcome: r1=0 r2=0 r3=1
// outcome: r1=0 r2=0 r3=2
// outcome: r1=0 r2=1 r3=0
// outcome: r1=0 r2=1 r3=1
// outcome: r1=0 r2=1 r3=2
// outcome: r1=1 r2=0 r3=0
// outcome: r1=1 r2=0 r3=1
// outcome: r1=1 r2=0 r3=2
// outcome: r1=1 r2=1 r3=0
// outcome: r1=1 r2=1 r3=1
// outcome: r1=1 r2=1 r3=2
// outcome: r1=2 r2=0 r3=0
// outcome: r1=2 r2=0 r3=1
// outcome: r1=2 r2=0 r3=2
// outcome: r1=2 r2=1 r3=0
// outcome: r1=2 r2=1 r3=1
// outcome: r1=2 r2=1 r3=2
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2, r3);

THREAD(a) {
  STORE(x, 1, seq_cst);
  STORE(x, 2, release);
}

THREAD(b) {
  r1 = LOAD(x, acquire);
  r2 = LOAD(y, seq_cst);
}

THREAD(c) {
  STORE(y, 1, seq_cst);
  r3 = LOAD(x, seq_cst);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}
