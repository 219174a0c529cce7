// In RC11 a release sequence goes on with later stores of the same thread. (C++20 gave this up.)
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=1
// outcome: r1=2 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, relaxed);
  STORE(y, 1, release);
  STORE(y, 2, relaxed);
}

THREAD(b) {
  r1 = LOAD(y, acquire);
  r2 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
