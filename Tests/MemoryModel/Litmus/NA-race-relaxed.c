// Plain data behind a relaxed flag.
//
// fails: data race
#include "litmus.h"

static atomic_int y;
int x;

THREAD(a) {
  x = 1;
  STORE(y, 1, release);
}

THREAD(b) {
  if (LOAD(y, relaxed)) mm_observe("x", x);
}

TEST {
  RUN(a, b);
}
