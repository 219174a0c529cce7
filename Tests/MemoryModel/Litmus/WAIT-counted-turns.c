// A loop that waits for a flag for three turns, and then goes on without it.
//
// outcome: seen=0
// outcome: seen=1
#include "litmus.h"

static atomic_int flag;
REGISTERS(seen);

THREAD(a) {
  for (int turn = 0; turn < 3; turn++) {
    seen = LOAD(flag, acquire);
    if (seen) return;
    mm_pause();
  }
}

THREAD(b) {
  STORE(flag, 1, release);
}

TEST {
  mm_let_loops_end();
  RUN(a, b);
  OBSERVE(seen);
}
