// Small dense numbers for threads, so that per-thread state lives in plain arrays.
#ifndef CPLATFORM_THREAD_INDEX_H
#define CPLATFORM_THREAD_INDEX_H

/// The calling thread's number plus one, or zero before its first use. Initial-exec: one load, no call.
extern __thread int cp_thread_index_plus_one __attribute__((tls_model("initial-exec")));

/// Gives the calling thread the lowest free number, until the thread ends. Cold: once in a thread's life.
int cp_register_thread_index(void);

/// A number from 0 that no other living thread has. Numbers are reused when threads end, lowest first.
static inline __attribute__((always_inline)) int cp_thread_index(void) {
  int index = cp_thread_index_plus_one;
  return __builtin_expect(index != 0, 1) ? index - 1 : cp_register_thread_index();
}

/// The calling thread's number, or -1 before its first use. No call.
static inline __attribute__((always_inline)) int cp_known_thread_index(void) { return cp_thread_index_plus_one - 1; }

/// One more than the highest number that was ever given out.
int cp_thread_index_bound(void);

#endif
