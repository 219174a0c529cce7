// A ticket lock.
//
// outcome: count=2
#include "litmus.h"

static atomic_int next, serving;
static int count;

THREAD(a) {
  int ticket = ADD(next, 1, relaxed);
  while (LOAD(serving, acquire) != ticket) {};
  count++;
  STORE(serving, ticket + 1, release);
}

THREAD(b) {
  int ticket = ADD(next, 1, relaxed);
  while (LOAD(serving, acquire) != ticket) {};
  count++;
  STORE(serving, ticket + 1, release);
}

TEST {
  RUN(a, b);
  OBSERVE(count);
}
