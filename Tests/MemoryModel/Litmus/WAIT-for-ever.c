// A loop that waits for a flag which no thread sets.
//
// fails: deadlock
#include "litmus.h"

static atomic_int y;

THREAD(a) {
  while (LOAD(y, acquire) != 2) {};
}

THREAD(b) {
  STORE(y, 1, release);
}

TEST {
  RUN(a, b);
}
