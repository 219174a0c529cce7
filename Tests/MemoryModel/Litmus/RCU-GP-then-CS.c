// Two grace periods at once, and a section after one of them. The other grace period may wait for that section.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  STORE(x, 1, relaxed);
  mm_synchronize_rcu();
  STORE(y, 1, relaxed);
}

THREAD(b) {
  mm_synchronize_rcu();
  mm_rcu_read_lock();
  r1 = LOAD(y, relaxed);
  r2 = LOAD(x, relaxed);
  mm_rcu_read_unlock();
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
