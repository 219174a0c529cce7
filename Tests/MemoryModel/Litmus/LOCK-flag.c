// A lock by test-and-set.
//
// outcome: count=2
#include "litmus.h"

static atomic_flag flag = ATOMIC_FLAG_INIT;
static int count;

THREAD(a) {
  while (atomic_flag_test_and_set_explicit(&flag, memory_order_acquire)) {};
  count++;
  atomic_flag_clear_explicit(&flag, memory_order_release);
}

THREAD(b) {
  while (atomic_flag_test_and_set_explicit(&flag, memory_order_acquire)) {};
  count++;
  atomic_flag_clear_explicit(&flag, memory_order_release);
}

TEST {
  RUN(a, b);
  OBSERVE(count);
}
