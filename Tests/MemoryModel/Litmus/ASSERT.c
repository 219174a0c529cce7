// A failed assertion is found in the one execution that has it.
//
// fails: assertion failed: the flag came with the data
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, relaxed);
  STORE(y, 1, relaxed);
}

THREAD(b) {
  r1 = LOAD(y, relaxed);
  r2 = LOAD(x, relaxed);
  mm_assert(!(r1 == 1 && r2 == 0), "the flag came with the data");
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
