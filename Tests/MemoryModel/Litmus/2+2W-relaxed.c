// Two threads write two locations in opposite order. Both first writes may be last.
//
// outcome: x=1 y=1
// outcome: x=1 y=2
// outcome: x=2 y=1
// outcome: x=2 y=2
#include "litmus.h"

static atomic_int x, y;

THREAD(a) {
  STORE(x, 1, relaxed);
  STORE(y, 2, relaxed);
}

THREAD(b) {
  STORE(y, 1, relaxed);
  STORE(x, 2, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE_FINAL(x);
  OBSERVE_FINAL(y);
}
