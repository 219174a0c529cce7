// What happens to the child of a `fork(2)` in a program that uses the library.
//
// Such a child has one thread, and copies of locks that vanished threads held. Physical memory is shared with the
// parent, so a store in the child would land in the parent. No repair is sound, so the child may not use the library.
// Its first use ends it with a message, and physical memory cannot be reached in it. A child that calls `exec` or
// `_exit` notices nothing.
//
// `posix_spawn`, and so Foundation's `Process`, does not fork in this sense: no handler of this file runs then.
#ifndef CPLATFORM_FORK_GUARD_H
#define CPLATFORM_FORK_GUARD_H

#include <stddef.h>

/// Whether this process is the child of one that used the library. Written by the child's only thread, before `fork`
/// returns.
extern int cp_is_forked_child;

/// Installs the handlers, once in a process. Called by what every first use of the library comes by.
void cp_install_fork_guard(void);

/// Says what happened and aborts.
void cp_refuse_forked_child(void) __attribute__((noreturn, cold));

/// Ends a forked child. For slow paths: a thread's first section, a grace period, a lock that may wait.
static inline __attribute__((always_inline)) void cp_check_not_forked(void) {
  if (__builtin_expect(cp_is_forked_child, 0)) cp_refuse_forked_child();
}

/// Makes `bytes` from `start` inaccessible in children from now on. Returns 0, or a negated errno.
int cp_hide_from_children(void *start, size_t bytes);

/// Ends what `cp_hide_from_children` began at `start`, before the range is unmapped.
void cp_end_hiding(void *start);

#endif
