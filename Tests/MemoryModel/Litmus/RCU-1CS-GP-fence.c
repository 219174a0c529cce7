// A cycle with a section, a grace period and a fence: the fence does not count.
//
// outcome: r1=0 r2=0 r3=1
// outcome: r1=0 r2=1 r3=0
// outcome: r1=0 r2=1 r3=1
// outcome: r1=1 r2=0 r3=0
// outcome: r1=1 r2=0 r3=1
// outcome: r1=1 r2=1 r3=0
// outcome: r1=1 r2=1 r3=1
#include "litmus.h"

static atomic_int x, y, z;
REGISTERS(r1, r2, r3);

THREAD(a) {
  mm_rcu_read_lock();
  STORE(x, 1, relaxed);
  r1 = LOAD(y, relaxed);
  mm_rcu_read_unlock();
}

THREAD(b) {
  STORE(y, 1, relaxed);
  mm_synchronize_rcu();
  r2 = LOAD(z, relaxed);
}

THREAD(c) {
  STORE(z, 1, relaxed);
  FENCE(seq_cst);
  r3 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}
