// Two updates of each thread, in every order. Those in which the threads take turns have two preemptions. So has the one in which `b`
// comes in the middle: `b` begins last, so that to go on with `a` is a preemption.
//
// outcome: r1=0 r2=1 r3=2 r4=3
// outcome: r1=0 r2=2 r3=1 r4=3
// outcome: r1=0 r2=3 r3=1 r4=2
// outcome: r1=1 r2=2 r3=0 r4=3
// outcome: r1=1 r2=3 r3=0 r4=2
// outcome: r1=2 r2=3 r3=0 r4=1
// not with a bound of 1: r1=0 r2=2 r3=1 r4=3
// not with a bound of 1: r1=0 r2=3 r3=1 r4=2
// not with a bound of 1: r1=1 r2=3 r3=0 r4=2
#include "litmus.h"

static atomic_int x;
REGISTERS(r1, r2, r3, r4);

THREAD(a) {
  r1 = ADD(x, 1, relaxed);
  r2 = ADD(x, 1, relaxed);
}

THREAD(b) {
  r3 = ADD(x, 1, relaxed);
  r4 = ADD(x, 1, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
  OBSERVE(r4);
}
