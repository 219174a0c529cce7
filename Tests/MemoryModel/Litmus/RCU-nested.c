// The end of an inner section does not end the outer one.
//
// outcome: r2=0 r1=0
// outcome: r2=1 r1=0
// outcome: r2=1 r1=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r2, r1);

THREAD(a) {
  STORE(x, 1, relaxed);
  mm_synchronize_rcu();
  STORE(y, 1, relaxed);
}

THREAD(b) {
  mm_rcu_read_lock();
  mm_rcu_read_lock();
  mm_rcu_read_unlock();
  r2 = LOAD(x, relaxed);
  r1 = LOAD(y, relaxed);
  mm_rcu_read_unlock();
}

TEST {
  RUN(a, b);
  OBSERVE(r2);
  OBSERVE(r1);
}
