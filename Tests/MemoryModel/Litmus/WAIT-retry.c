// A loop of attempts, each of which counts itself and looks twice. The two looks differ once: then the attempt has seen the newest
// value and tries again. Such a turn changed something, so it does not wait for the next store.
//
// outcome: seen=0 attempts=1
// outcome: seen=1 attempts=1
// outcome: seen=1 attempts=2
#include "litmus.h"

static atomic_int version, attempts;
REGISTERS(seen = -1);

THREAD(a) {
  for (;;) {
    seen = LOAD(version, acquire);
    ADD(attempts, 1, relaxed);
    if (LOAD(version, acquire) == seen) return;
    mm_pause();
  }
}

THREAD(b) {
  STORE(version, 1, release);
}

TEST {
  RUN(a, b);
  OBSERVE(seen);
  OBSERVE_FINAL(attempts);
}
