// Plain data behind a flag with fences: no race.
//
// outcome: x=1
#include "litmus.h"

static atomic_int y;
int x;

THREAD(a) {
  x = 1;
  FENCE(release);
  STORE(y, 1, relaxed);
}

THREAD(b) {
  int flag = LOAD(y, relaxed);
  FENCE(acquire);
  if (flag) mm_observe("x", x);
}

TEST {
  RUN(a, b);
}
