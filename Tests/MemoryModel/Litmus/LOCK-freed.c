// A mutex is memory: to lock one that another thread frees meanwhile is a use after free.
//
// fails: use after free
#include "litmus.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t *mutex;

THREAD(a) {
  pthread_mutex_lock(mutex);
  pthread_mutex_unlock(mutex);
}

THREAD(b) { free(mutex); }

TEST {
  mutex = calloc(1, sizeof *mutex);
  RUN(a, b);
}
