// A thread of the checker's, which has no signals, and a number for a name.
#include "service_thread.h"

int cp_start_thread(pthread_t *thread, const char *name, void *(*body)(void *), void *argument) {
  (void)name;
  pthread_t detached;
  return pthread_create(thread ? thread : &detached, 0, body, argument);
}
