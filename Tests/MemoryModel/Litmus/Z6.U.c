// Z6.U of "Repairing Sequential Consistency in C/C++11" (Lahav et al., PLDI 2017): r1=1 r2=3 r3=0 is what the compilation to POWER gives,
// C11 forbade, and RC11 allows. The other outcomes follow from coherence and from the order of the sequentially consistent accesses.
//
// outcome: r1=0 r2=1 r3=0
// outcome: r1=0 r2=1 r3=1
// outcome: r1=0 r2=3 r3=0
// outcome: r1=0 r2=3 r3=1
// outcome: r1=1 r2=2 r3=0
// outcome: r1=1 r2=2 r3=1
// outcome: r1=1 r2=3 r3=0
// outcome: r1=1 r2=3 r3=1
// outcome: r1=3 r2=1 r3=0
// outcome: r1=3 r2=1 r3=1
// outcome: r1=3 r2=4 r3=0
// outcome: r1=3 r2=4 r3=1
#include "litmus.h"

static atomic_int x, y;
REGISTERS(r1, r2, r3);

THREAD(a) {
  STORE(x, 1, seq_cst);
  STORE(y, 1, release);
}

THREAD(b) {
  r1 = ADD(y, 1, seq_cst);
  r2 = LOAD(y, relaxed);
}

THREAD(c) {
  STORE(y, 3, seq_cst);
  r3 = LOAD(x, seq_cst);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}
