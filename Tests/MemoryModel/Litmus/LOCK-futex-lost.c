// A lock on a futex word: 0 free, 1 held, 2 held and threads may wait. A thread that was woken takes it with 1, so that nothing says any
// more that another thread waits. That one is never woken.
//
// fails: deadlock
#include "litmus.h"

#include <stdint.h>

// Of `Library/CPlatform/futex.h`.
void mm_futex_wait(uint32_t *word, uint32_t expected);
void mm_futex_wake(uint32_t *word, int count);

static atomic_int word;

THREAD(a) {
  int seen = compare_exchange(&word, 0, 1, memory_order_acquire);
  while (seen != 0) {
    if (seen == 2 || compare_exchange(&word, 1, 2, memory_order_relaxed) != 0) mm_futex_wait((uint32_t *)&word, 2);
    seen = compare_exchange(&word, 0, 1, memory_order_acquire);
  }
  if (EXCHANGE(word, 0, release) == 2) mm_futex_wake((uint32_t *)&word, 1);
}

TEST { RUN(a, a, a); }
