// R with release and acquire: allowed.
//
// outcome: r1=0 y=1
// outcome: r1=0 y=2
// outcome: r1=1 y=1
// outcome: r1=1 y=2
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1);

THREAD(a) {
  STORE(x, 1, release);
  STORE(y, 1, release);
}

THREAD(b) {
  STORE(y, 2, release);
  r1 = LOAD(x, acquire);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE_FINAL(y);
}
