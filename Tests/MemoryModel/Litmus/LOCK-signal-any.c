// A signal wakes any of the threads that wait, not always the first. `r1`: which of two that waited goes on first; 0 if they did not.
//
// outcome: r1=0
// outcome: r1=1
// outcome: r1=2
#include "litmus.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int waiting, both, ready, first;

THREAD(wait) {
  pthread_mutex_lock(&mutex);
  int place = ++waiting;
  while (!ready) pthread_cond_wait(&condition, &mutex);
  if (!first) first = place;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&mutex);
}

THREAD(signal) {
  pthread_mutex_lock(&mutex);
  both = waiting == 2;
  ready = 1;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&mutex);
}

TEST {
  RUN(wait, wait, signal);
  mm_observe("r1", both ? first : 0);
}
