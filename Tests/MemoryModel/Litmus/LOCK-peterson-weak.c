// Peterson's lock with release and acquire excludes nothing.
//
// fails: data race
#include "litmus.h"

static atomic_int wants_a, wants_b, turn;
static int count;

THREAD(a) {
  STORE(wants_a, 1, release);
  STORE(turn, 1, release);
  while (LOAD(wants_b, acquire) && LOAD(turn, acquire) == 1) {};
  count++;
  STORE(wants_a, 0, release);
}

THREAD(b) {
  STORE(wants_b, 1, release);
  STORE(turn, 0, release);
  while (LOAD(wants_a, acquire) && LOAD(turn, acquire) == 0) {};
  count++;
  STORE(wants_b, 0, release);
}

TEST {
  RUN(a, b);
  OBSERVE(count);
}
