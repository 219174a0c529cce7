// Threads that threads start. A schedule names the same thread in another process, where other threads may not have been seen before.
//
// fails: assertion failed: the store was not seen
#include "litmus.h"

static atomic_int x, y;

THREAD(leaf) { mm_assert(LOAD(y, relaxed) == 0, "the store was not seen"); }
THREAD(idle) {}

THREAD(a) {
  if (LOAD(x, relaxed) == 0)
    mm_join(mm_spawn(idle, 0));
  else
    STORE(y, 1, relaxed);
}

THREAD(b) {
  STORE(x, 1, relaxed);
  mm_join(mm_spawn(leaf, 0));
}

TEST { RUN(a, b); }
