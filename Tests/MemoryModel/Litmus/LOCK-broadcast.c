// A broadcast wakes all threads that wait.
//
// outcome: sum=2
#include "litmus.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int ready, sum;

THREAD(wait) {
  pthread_mutex_lock(&mutex);
  while (!ready) pthread_cond_wait(&condition, &mutex);
  sum++;
  pthread_mutex_unlock(&mutex);
}

THREAD(wake) {
  pthread_mutex_lock(&mutex);
  ready = 1;
  pthread_mutex_unlock(&mutex);
  pthread_cond_broadcast(&condition);
}

TEST {
  RUN(wait, wait, wake);
  OBSERVE(sum);
}
