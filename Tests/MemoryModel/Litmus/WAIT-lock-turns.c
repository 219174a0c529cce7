// A loop that takes a lock, looks, and gives the lock back, until it sees what it waits for. Each turn changes the lock's word and
// puts it back, so two equal turns are as good as one.
//
// outcome: x=1
#include "litmus.h"

static atomic_int lock;
static int ready, x;

static void take(void) {
  while (compare_exchange(&lock, 0, 1, memory_order_acquire) != 0) mm_pause();
}
static void give(void) { STORE(lock, 0, release); }

THREAD(a) {
  for (;;) {
    take();
    int is_ready = ready;
    give();
    if (is_ready) break;
    mm_pause();
  }
  mm_observe("x", x);
}

THREAD(b) {
  x = 1;
  take();
  ready = 1;
  give();
}

TEST {
  RUN(a, b);
}
