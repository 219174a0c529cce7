// Independent reads of independent writes; the first load of each reader only acquires. "Repairing Sequential Consistency in
// C/C++11" (Lahav et al., PLDI 2017) shows that C11 forbade the disagreement, POWER does not, and RC11 allows it.
//
// outcome: r1=0 r2=0 r3=0 r4=0
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

static atomic_int x, y;
REGISTERS(r1, r2, r3, r4);

THREAD(a) {
  STORE(x, 1, seq_cst);
}

THREAD(b) {
  STORE(y, 1, seq_cst);
}

THREAD(c) {
  r1 = LOAD(x, acquire);
  r2 = LOAD(y, seq_cst);
}

THREAD(d) {
  r3 = LOAD(y, acquire);
  r4 = LOAD(x, seq_cst);
}

TEST {
  RUN(a, b, c, d);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
  OBSERVE(r4);
}
