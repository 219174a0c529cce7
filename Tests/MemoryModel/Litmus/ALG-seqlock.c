// A sequence lock over relaxed data with fences (Boehm, MSPC 2012): a reader that accepts has seen one writer's values.
//
// outcome: r1=0 r2=0
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int sequence, x, y;
REGISTERS(r1, r2);

THREAD(writer) {
  STORE(sequence, 1, relaxed);
  FENCE(release);
  STORE(x, 1, relaxed);
  STORE(y, 1, relaxed);
  STORE(sequence, 2, release);
}

THREAD(reader) {
  int before, after;
  do {
    before = LOAD(sequence, acquire);
    r1 = LOAD(x, relaxed);
    r2 = LOAD(y, relaxed);
    FENCE(acquire);
    after = LOAD(sequence, relaxed);
  } while (before != after || before % 2 != 0);
}

TEST {
  RUN(writer, reader);
  OBSERVE(r1);
  OBSERVE(r2);
}
