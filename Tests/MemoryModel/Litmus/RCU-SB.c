// Store buffering of a section and a grace period.
//
// outcome: r1=0 r2=1
// outcome: r1=1 r2=0
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  mm_rcu_read_lock();
  STORE(x, 1, relaxed);
  r1 = LOAD(y, relaxed);
  mm_rcu_read_unlock();
}

THREAD(b) {
  STORE(y, 1, relaxed);
  mm_synchronize_rcu();
  r2 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
