// A cycle with two sections and two grace periods: forbidden.
// interleavings: too many
//
// outcome: r1=0 r2=0 r3=0 r4=1
// outcome: r1=0 r2=0 r3=1 r4=0
// outcome: r1=0 r2=0 r3=1 r4=1
// outcome: r1=0 r2=1 r3=0 r4=0
// outcome: r1=0 r2=1 r3=0 r4=1
// outcome: r1=0 r2=1 r3=1 r4=0
// outcome: r1=0 r2=1 r3=1 r4=1
// outcome: r1=1 r2=0 r3=0 r4=0
// outcome: r1=1 r2=0 r3=0 r4=1
// outcome: r1=1 r2=0 r3=1 r4=0
// outcome: r1=1 r2=0 r3=1 r4=1
// outcome: r1=1 r2=1 r3=0 r4=0
// outcome: r1=1 r2=1 r3=0 r4=1
// outcome: r1=1 r2=1 r3=1 r4=0
// outcome: r1=1 r2=1 r3=1 r4=1
#include "litmus.h"

static atomic_int x, y, z, w;
REGISTERS(r1, r2, r3, r4);

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
  mm_rcu_read_lock();
  STORE(z, 1, relaxed);
  r3 = LOAD(w, relaxed);
  mm_rcu_read_unlock();
}

THREAD(d) {
  STORE(w, 1, relaxed);
  mm_synchronize_rcu();
  r4 = LOAD(x, relaxed);
}

TEST {
  RUN(a, b, c, d);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
  OBSERVE(r4);
}
