// Plain data behind a release and an acquire: no race.
//
// outcome: x=1
#include "litmus.h"

static atomic_int y;
int x;

THREAD(a) {
  x = 1;
  STORE(y, 1, release);
}

THREAD(b) {
  if (LOAD(y, acquire)) mm_observe("x", x);
}

TEST {
  RUN(a, b);
}
