// The vocabulary of the litmus programs.
#ifndef LITMUS_H
#define LITMUS_H

#include <memory_model.h>
#include <stdatomic.h>

#define LOAD(location, order) atomic_load_explicit(&location, memory_order_##order)
#define STORE(location, value, order) atomic_store_explicit(&location, value, memory_order_##order)
#define ADD(location, value, order) atomic_fetch_add_explicit(&location, value, memory_order_##order)
#define EXCHANGE(location, value, order) atomic_exchange_explicit(&location, value, memory_order_##order)
#define FENCE(order) atomic_thread_fence(memory_order_##order)
/// A thread's body.
#define THREAD(name) static void name(void *unused)
/// Where the threads' loads go. A thread that does not run leaves -1.
#define REGISTERS(...) static int __VA_ARGS__

static inline int compare_exchange(atomic_int *location, int expected, int desired, memory_order order) {
  atomic_compare_exchange_strong_explicit(location, &expected, desired, order, memory_order_relaxed);
  return expected;
}

typedef void (*thread_body)(void *);

/// Runs threads and waits for them.
static inline void run_threads(int count, const thread_body *bodies) {
  int threads[8];
  for (int i = 0; i < count; i++) threads[i] = mm_spawn(bodies[i], 0);
  for (int i = 0; i < count; i++) mm_join(threads[i]);
}
#define RUN(...) run_threads(sizeof((thread_body[]){__VA_ARGS__}) / sizeof(thread_body), (thread_body[]){__VA_ARGS__})
#define OBSERVE(name) mm_observe(#name, name)
#define OBSERVE_FINAL(location) mm_observe(#location, LOAD(location, relaxed))
#define TEST void mm_test(void *unused)

#endif
