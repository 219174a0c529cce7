// A thread pauses at one place, looks, and pauses at another: it does not wait, so it goes on whatever it saw.
//
// outcome: seen=0
// outcome: seen=1
#include "litmus.h"

static atomic_int flag;
REGISTERS(seen);

THREAD(a) {
  mm_pause();
  seen = LOAD(flag, acquire);
  mm_pause();
}

THREAD(b) {
  STORE(flag, 1, release);
}

TEST {
  RUN(a, b);
  OBSERVE(seen);
}
