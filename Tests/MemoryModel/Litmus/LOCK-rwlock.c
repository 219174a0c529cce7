// A read-write lock: a reader sees all of a writer or nothing, an attempt fails beside a writer alone, and readers meet.
//
// outcome: r1=0 r2=0 r3=0 r4=1
// outcome: r1=0 r2=0 r3=1 r4=1
// outcome: r1=0 r2=0 r3=2 r4=1
// outcome: r1=1 r2=1 r3=0 r4=1
// outcome: r1=1 r2=1 r3=1 r4=1
// outcome: r1=1 r2=1 r3=2 r4=1
#include "litmus.h"

#include <pthread.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static int x, y;
REGISTERS(r1, r2, r3, r4);

THREAD(writer) {
  pthread_rwlock_wrlock(&lock);
  x = 1;
  y = 1;
  pthread_rwlock_unlock(&lock);
}

THREAD(reader) {
  pthread_rwlock_rdlock(&lock);
  r1 = x;
  r2 = y;
  pthread_rwlock_unlock(&lock);
}

THREAD(attempt) {
  r3 = 2;
  if (pthread_rwlock_tryrdlock(&lock)) return;
  r3 = x;
  pthread_rwlock_unlock(&lock);
}

THREAD(second_reader) {
  pthread_rwlock_rdlock(&lock);
  r4 = pthread_rwlock_trywrlock(&lock) != 0;
  pthread_rwlock_unlock(&lock);
}

TEST {
  RUN(writer, reader, attempt);
  pthread_rwlock_rdlock(&lock);
  RUN(second_reader);
  pthread_rwlock_unlock(&lock);
  OBSERVE(r1);
  OBSERVE(r2);
  OBSERVE(r3);
  OBSERVE(r4);
}
