// A loop that waits for a flag ends in every execution that is counted.
//
// outcome: x=1
#include "litmus.h"

static atomic_int y;
int x;

THREAD(a) {
  while (!LOAD(y, acquire)) {};
  mm_observe("x", x);
}

THREAD(b) {
  x = 1;
  STORE(y, 1, release);
}

TEST {
  RUN(a, b);
}
