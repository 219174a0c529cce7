// In place of registration: a thread's number is the checker's. The lock of the real one would order what nothing else
// orders. A program about registration calls the real one, which has other names here (`compile_library`).
#include "checked.h"
#include "thread_index.h"

int mm_thread(void);
int mm_real_register_thread(void);
int mm_real_thread_bound(void);

// Written by the first thread alone, before there are others.
static int is_real;

int mm_register_thread(void) {
  if (!is_real) is_real = 1;
  return mm_real_register_thread();
}

int cp_register_thread_index(void) {
  int index = mm_thread();
  cp_thread_index_plus_one = index + 1;
  return index;
}

// Else as many as the largest program has.
int cp_thread_index_bound(void) { return is_real ? mm_real_thread_bound() : 4; }
