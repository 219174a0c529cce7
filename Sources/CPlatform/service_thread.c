#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "service_thread.h"

struct start {
  void *(*body)(void *);
  void *argument;
  char name[16];
};

static void *begin(void *context) {
  struct start start = *(struct start *)context;
  free(context);
  // It has its creator's name otherwise, and that may be a service's.
  pthread_setname_np(pthread_self(), start.name);
  return start.body(start.argument);
}

int cp_start_thread(pthread_t *thread, const char *name, void *(*body)(void *), void *argument) {
  struct start *start = malloc(sizeof *start);
  if (!start) return ENOMEM;
  start->body = body;
  start->argument = argument;
  snprintf(start->name, sizeof start->name, "%s", name);
  pthread_t detached;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (!thread) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  // A thread starts with the signal mask of the thread that creates it.
  sigset_t blocked, before;
  sigfillset(&blocked);
  const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
  for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++) sigdelset(&blocked, synchronous[i]);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  int error = pthread_create(thread ? thread : &detached, &attributes, begin, start);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (error != 0) free(start);
  return error;
}
