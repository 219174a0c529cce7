// W+RWC: release and acquire to the second thread, the other accesses sequentially consistent. Their order follows the message.
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
  STORE(x, 1, seq_cst);
  STORE(y, 1, release);
}

THREAD(b) {
  r1 = LOAD(y, acquire);
  r2 = LOAD(z, seq_cst);
}

THREAD(c) {
  STORE(z, 1, seq_cst);
  r3 = LOAD(x, seq_cst);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}
