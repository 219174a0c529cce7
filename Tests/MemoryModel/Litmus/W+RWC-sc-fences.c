// W+RWC: release and acquire to the second thread, then store buffering with fences.
//
// outcome: r1=0 r2=0 r3=0
// outcome: r1=0 r2=0 r3=1
// outcome: r1=0 r2=1 r3=0
// outcome: r1=0 r2=1 r3=1
// outcome: r1=1 r2=0 r3=1
// outcome: r1=1 r2=1 r3=0
// outcome: r1=1 r2=1 r3=1
#include "litmus.h"

static atomic_int x, y, z;
REGISTERS(r1, r2, r3);

THREAD(a) {
  STORE(x, 1, relaxed);
  STORE(y, 1, release);
}

THREAD(b) {
  r1 = LOAD(y, acquire);
  FENCE(seq_cst);
  r2 = LOAD(z, relaxed);
}

THREAD(c) {
  STORE(z, 1, relaxed);
  FENCE(seq_cst);
  r3 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}
