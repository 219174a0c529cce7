// The grace period's guarantee: what the thread saw of a section before, it sees all of afterwards.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  mm_rcu_read_lock();
  STORE(x, 1, relaxed);
  STORE(y, 1, relaxed);
  mm_rcu_read_unlock();
}

THREAD(b) {
  r1 = LOAD(x, relaxed);
  mm_synchronize_rcu();
  r2 = LOAD(y, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
}
