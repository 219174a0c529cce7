// Load buffering with release and acquire. Forbidden also by C11.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  r1 = LOAD(x, acquire);
  STORE(y, 1, release);
}

THREAD(b) {
  r2 = LOAD(y, acquire);
  STORE(x, 1, release);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
