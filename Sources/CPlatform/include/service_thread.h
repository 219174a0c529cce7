// Threads of the library's own.
#ifndef CPLATFORM_SERVICE_THREAD_H
#define CPLATFORM_SERVICE_THREAD_H

#include <pthread.h>

/// Starts a thread that runs `body`. Returns 0, or an error number if the process has no thread or no memory to spare.
///
/// The program's signals are for its own threads: this one takes none but those that its own instructions cause.
///
/// - `thread`: written for `pthread_join`. If null, the thread is detached.
/// - `name`: what debuggers and `ps -T` show, at most 15 characters.
int cp_start_thread(pthread_t *thread, const char *name, void *(*body)(void *), void *argument);

#endif
