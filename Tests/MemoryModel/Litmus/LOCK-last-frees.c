// The last of two threads frees the object with the mutex that they took: each frees it after both have given the mutex back.
//
// outcome: r1=1
#include "litmus.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct {
  pthread_mutex_t mutex;
  int users;
} shared_object;

static shared_object *object;
static atomic_int frees;
REGISTERS(r1);

THREAD(leave) {
  pthread_mutex_lock(&object->mutex);
  int is_last = --object->users == 0;
  pthread_mutex_unlock(&object->mutex);
  if (!is_last) return;
  free(object);
  ADD(frees, 1, relaxed);
}

TEST {
  object = calloc(1, sizeof *object);
  object->users = 2;
  RUN(leave, leave);
  r1 = LOAD(frees, relaxed);
  OBSERVE(r1);
}
