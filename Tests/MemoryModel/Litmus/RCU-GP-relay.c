// A section passes on what it read, though it did not acquire it: the grace period that waits for its end makes that visible.
//
// outcome: r1=0 r2=0 r3=0
// outcome: r1=0 r2=0 r3=1
// outcome: r1=0 r2=1 r3=0
// outcome: r1=0 r2=1 r3=1
// outcome: r1=1 r2=0 r3=0
// outcome: r1=1 r2=0 r3=1
// outcome: r1=1 r2=1 r3=1
#include "litmus.h"

static atomic_int x, y, z;
REGISTERS(r1, r2, r3);

THREAD(a) {
  STORE(z, 1, relaxed);
  STORE(x, 1, release);
}

THREAD(b) {
  mm_rcu_read_lock();
  r1 = LOAD(x, relaxed);
  STORE(y, 1, relaxed);
  mm_rcu_read_unlock();
}

THREAD(c) {
  r2 = LOAD(y, relaxed);
  mm_synchronize_rcu();
  r3 = LOAD(z, relaxed);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}
