// `mm_explore` and its options, called by a program of its own. A search that a limit or a bound stopped is not complete.
//
// own main
#include "litmus.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static atomic_int x;
REGISTERS(r1, r2, r3);

THREAD(a) {
  r1 = ADD(x, 1, relaxed);
  r2 = ADD(x, 1, relaxed);
}

THREAD(b) {
  r3 = ADD(x, 1, relaxed);
  ADD(x, 1, relaxed);
}

TEST {
  RUN(a, b);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
}

static void fails(void *unused) {
  int thread = mm_spawn(a, 0);
  mm_assert(LOAD(x, relaxed) < 2, "the thread is not done");
  mm_join(thread);
}

static int failed;
static unsigned long seen;

static void expect(const char *what, unsigned long expected, unsigned long found) {
  if (expected == found) return;
  printf("%s: %lu instead of %lu\n", what, found, expected);
  failed = 1;
}

static void count(const long *values, unsigned long times, void *outcomes) {
  seen += times;
  ++*(unsigned long *)outcomes;
}

int main(void) {
  const char *names[3];
  unsigned long outcomes = 0;
  mm_result result = mm_explore(mm_test, 0, 0);
  expect("executions of all", 6, result.executions);
  expect("all are complete", 1, (unsigned long)result.complete);
  expect("names", 3, (unsigned long)mm_outcomes(names, count, &outcomes));
  expect("outcomes", 6, outcomes);
  expect("executions with an outcome", 6, seen);
  expect("the first name", 0, (unsigned long)strcmp(names[0], "r1"));

  mm_options bound = {.preemption_bound = 1};
  result = mm_explore(mm_test, 0, &bound);
  expect("executions with one preemption", 3, result.executions);
  expect("a bound is complete", 0, (unsigned long)result.complete);

  mm_options limit = {.max_executions = 2};
  result = mm_explore(mm_test, 0, &limit);
  expect("executions up to a limit", 2, result.executions);
  expect("a limit is complete", 0, (unsigned long)result.complete);

  mm_options walk = {.random = 1, .max_executions = 50, .seed = 7};
  result = mm_explore(mm_test, 0, &walk);
  expect("random executions", 50, result.executions);
  expect("a random walk is complete", 0, (unsigned long)result.complete);

  result = mm_explore(fails, 0, 0);
  expect("a failure", 1, result.failure && strstr(result.failure, "the thread is not done"));
  expect("a failure is complete", 0, (unsigned long)result.complete);
  return failed;
}
