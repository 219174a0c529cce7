// Two plain writes.
//
// fails: data race
#include "litmus.h"

int x;

THREAD(a) {
  x = 1;
}

THREAD(b) {
  x = 2;
}

TEST {
  RUN(a, b);
}
