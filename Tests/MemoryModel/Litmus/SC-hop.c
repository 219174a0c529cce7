// The order of sequentially consistent accesses goes by a message, if the writer has an access of another location between its two
// stores to `x`. A plain one will do. Beside `SC-hop-not`.
//
// outcome: r1=0 r2=0 r3=0
// outcome: r1=0 r2=0 r3=1
// outcome: r1=0 r2=0 r3=2
// outcome: r1=0 r2=1 r3=0
// outcome: r1=0 r2=1 r3=1
// outcome: r1=0 r2=1 r3=2
// outcome: r1=1 r2=0 r3=0
// outcome: r1=1 r2=0 r3=1
// outcome: r1=1 r2=0 r3=2
// outcome: r1=1 r2=1 r3=0
// outcome: r1=1 r2=1 r3=1
// outcome: r1=1 r2=1 r3=2
// outcome: r1=2 r2=0 r3=1
// outcome: r1=2 r2=0 r3=2
// outcome: r1=2 r2=1 r3=0
// outcome: r1=2 r2=1 r3=1
// outcome: r1=2 r2=1 r3=2
#include "litmus.h"

static atomic_int x, y;
int plain;
REGISTERS(r1, r2, r3);

THREAD(a) {
  STORE(x, 1, seq_cst);
  plain = 1;
  STORE(x, 2, release);
}

THREAD(b) {
  r1 = LOAD(x, acquire);
  r2 = LOAD(y, seq_cst);
}

THREAD(c) {
  STORE(y, 1, seq_cst);
  r3 = LOAD(x, seq_cst);
}

TEST {
  RUN(a, b, c);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}
