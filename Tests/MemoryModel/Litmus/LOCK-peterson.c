// Peterson's lock, sequentially consistent.
//
// outcome: count=2
#include "litmus.h"

static atomic_int wants_a, wants_b, turn;
static int count;

THREAD(a) {
  STORE(wants_a, 1, seq_cst);
  STORE(turn, 1, seq_cst);
  while (LOAD(wants_b, seq_cst) && LOAD(turn, seq_cst) == 1) {};
  count++;
  STORE(wants_a, 0, seq_cst);
}

THREAD(b) {
  STORE(wants_b, 1, seq_cst);
  STORE(turn, 0, seq_cst);
  while (LOAD(wants_a, seq_cst) && LOAD(turn, seq_cst) == 0) {};
  count++;
  STORE(wants_b, 0, seq_cst);
}

TEST {
  RUN(a, b);
  OBSERVE(count);
}
