// A thread of the checker's, which has no signals, and a number for a name.
#include "service_thread.h"

#include <errno.h>

#include "checked.h"

// Written before there are other threads.
static int are_refused;

void mm_refuse_threads(void) { are_refused = 1; }

int cp_start_thread(pthread_t *thread, const char *name, void *(*body)(void *), void *argument) {
  (void)name;
  if (are_refused) return EAGAIN;
  pthread_t detached;
  return pthread_create(thread ? thread : &detached, 0, body, argument);
}
