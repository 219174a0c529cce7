// Two threads write two locations in opposite order. Release does not order modification orders.
//
// outcome: x=1 y=1
// outcome: x=1 y=2
// outcome: x=2 y=1
// outcome: x=2 y=2
#include "litmus.h"

static atomic_int x, y;

THREAD(a) {
  STORE(x, 1, release);
  STORE(y, 2, release);
}

THREAD(b) {
  STORE(y, 1, release);
  STORE(x, 2, release);
}

TEST {
  RUN(a, b);
  OBSERVE_FINAL(x);
  OBSERVE_FINAL(y);
}
