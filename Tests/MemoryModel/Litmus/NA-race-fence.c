// Plain data behind a flag with a release fence and no acquire.
//
// fails: data race
#include "litmus.h"

static atomic_int y;
int x;

THREAD(a) {
  x = 1;
  FENCE(release);
  STORE(y, 1, relaxed);
}

THREAD(b) {
  if (LOAD(y, relaxed)) mm_observe("x", x);
}

TEST {
  RUN(a, b);
}
