// Writes of one thread to one location keep their order.
//
// outcome: x=2
// outcome: x=3
#include "litmus.h"

static atomic_int x;

THREAD(a) {
  STORE(x, 1, relaxed);
  STORE(x, 2, relaxed);
}

THREAD(b) {
  STORE(x, 3, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE_FINAL(x);
}
