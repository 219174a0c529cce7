// Chase and Lev's deque as Le et al. give it for C11 (PPoPP 2013): an owner that pushes two and takes two, a thief that steals twice.
// Its fences weakened to acquire and release: owner and thief take the same element.
//
// fails: assertion failed: an element was taken twice
#include "litmus.h"

static atomic_int top, bottom, elements[4], taken[3];

static void push(int element) {
  int end = LOAD(bottom, relaxed);
  STORE(elements[end % 4], element, relaxed);
  FENCE(release);
  STORE(bottom, end + 1, relaxed);
}

static int take(void) {
  int end = LOAD(bottom, relaxed) - 1;
  STORE(bottom, end, relaxed);
  FENCE(acq_rel);
  int begin = LOAD(top, relaxed), element = 0;
  if (begin < end) return LOAD(elements[end % 4], relaxed);
  if (begin == end) {
    element = LOAD(elements[end % 4], relaxed);
    if (compare_exchange(&top, begin, begin + 1, memory_order_seq_cst) != begin) element = 0;
  }
  STORE(bottom, end + 1, relaxed);
  return element;
}

static int steal(void) {
  int begin = LOAD(top, acquire);
  FENCE(acq_rel);
  int end = LOAD(bottom, acquire);
  if (begin >= end) return 0;
  int element = LOAD(elements[begin % 4], relaxed);
  return compare_exchange(&top, begin, begin + 1, memory_order_seq_cst) == begin ? element : 0;
}

static void count(int element) {
  if (element != 0) mm_assert(ADD(taken[element], 1, relaxed) == 0, "an element was taken twice");
}

THREAD(owner) {
  push(1);
  push(2);
  count(take());
  count(take());
}

THREAD(thief) {
  count(steal());
  count(steal());
}

TEST {
  RUN(owner, thief);
  mm_observe("first", LOAD(taken[1], relaxed));
  mm_observe("second", LOAD(taken[2], relaxed));
}
