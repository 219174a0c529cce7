// A condition variable is memory as well: here the waiter frees it, and the signal comes after the mutex was given back.
//
// fails: use after free
#include "litmus.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t *condition;
static int ready;

THREAD(wait) {
  pthread_mutex_lock(&mutex);
  while (!ready) pthread_cond_wait(condition, &mutex);
  pthread_mutex_unlock(&mutex);
  free(condition);
}

THREAD(signal) {
  pthread_cond_t *shared = condition;
  pthread_mutex_lock(&mutex);
  ready = 1;
  pthread_mutex_unlock(&mutex);
  pthread_cond_signal(shared);
}

TEST {
  condition = calloc(1, sizeof *condition);
  RUN(wait, signal);
}
