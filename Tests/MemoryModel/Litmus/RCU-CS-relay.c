// A section that begins after a grace period's start passes on what came before that start, by a store without an order.
//
// outcome: r1=0 r2=0 r3=0
// outcome: r1=0 r2=0 r3=1
// outcome: r1=0 r2=1 r3=0
// outcome: r1=0 r2=1 r3=1
// outcome: r1=1 r2=0 r3=1
// outcome: r1=1 r2=1 r3=0
// outcome: r1=1 r2=1 r3=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2, r3);

THREAD(a) {
  STORE(x, 1, relaxed);
  mm_synchronize_rcu();
  r2 = LOAD(y, relaxed);
}

THREAD(b) {
  mm_rcu_read_lock();
  STORE(y, 1, relaxed);
  mm_rcu_read_unlock();
}

THREAD(c) {
  r1 = LOAD(y, acquire);
  r3 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}
