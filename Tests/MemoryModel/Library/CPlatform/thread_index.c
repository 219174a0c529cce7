// In place of registration: a thread's number is the checker's. The lock of the real one would order what nothing else orders.
#include "thread_index.h"

int mm_thread(void);

__thread int cp_thread_index_plus_one __attribute__((tls_model("initial-exec")));

int cp_register_thread_index(void) {
  int index = mm_thread();
  cp_thread_index_plus_one = index + 1;
  return index;
}

// As many as the largest program has.
int cp_thread_index_bound(void) { return 4; }
