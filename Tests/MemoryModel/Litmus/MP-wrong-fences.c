// Message passing. An acquire fence before the store and a release fence after the load order nothing here.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, relaxed);
  FENCE(acquire);
  STORE(y, 1, relaxed);
}

THREAD(b) {
  r1 = LOAD(y, relaxed);
  FENCE(release);
  r2 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
