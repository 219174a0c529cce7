// As RCU-GP-CS, for the section's writes in the other order.
//
// outcome: r1=0 r2=0
// outcome: r1=0 r2=1
// outcome: r1=1 r2=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2);

THREAD(a) {
  mm_rcu_read_lock();
  STORE(y, 1, relaxed);
  STORE(x, 1, relaxed);
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
