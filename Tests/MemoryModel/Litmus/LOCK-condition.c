// A condition variable: the waiter sees what was done under the mutex.
//
// outcome: data=7
#include "litmus.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int ready, data;

THREAD(a) {
  pthread_mutex_lock(&mutex);
  while (!ready) pthread_cond_wait(&condition, &mutex);
  mm_observe("data", data);
  pthread_mutex_unlock(&mutex);
}

THREAD(b) {
  pthread_mutex_lock(&mutex);
  data = 7;
  ready = 1;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&mutex);
}

TEST {
  RUN(a, b);
}
