// Threads, a mutex and results of the C library.
//
// outcome: first=1 second=2 count=2
// outcome: first=2 second=1 count=2
#include "litmus.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int count;

static void *body(void *unused) {
  pthread_mutex_lock(&mutex);
  long seen = ++count;
  pthread_mutex_unlock(&mutex);
  return (void *)seen;
}

TEST {
  pthread_t threads[2];
  void *results[2];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, body, 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], &results[i]);
  mm_observe("first", (long)results[0]);
  mm_observe("second", (long)results[1]);
  mm_observe("count", count);
}
