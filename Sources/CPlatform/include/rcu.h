// The read-side section and the grace period.
//
// liburcu's own inline readers say that they meet the LGPL's ten-line criterion. So they may be called from a program
// under any licence. Nothing else of liburcu is inlined here.
//
// liburcu itself is not instrumented, so ThreadSanitizer must be told of its two guarantees:
//
// - What a section did happens before the return of a grace period that waited for it: release at unlock, acquire
//   after synchronize.
// - What a writer did before a grace period happens before the sections that begin after it. No annotation says so. The
//   atomic through which a reader finds the data carries that edge.
#ifndef CPLATFORM_RCU_H
#define CPLATFORM_RCU_H

#include <urcu/tls-compat.h>

#ifdef CONFIG_RCU_TLS
// Before liburcu's own declaration, which then has the attribute too. In a shared library a section would otherwise
// call `__tls_get_addr` each time. In a program the linker chooses this model by itself. It takes 8 bytes of the room
// that glibc keeps for the thread-local memory of libraries that come by `dlopen`.
struct urcu_bp_reader;
extern DECLARE_URCU_TLS(struct urcu_bp_reader *, urcu_bp_reader) __attribute__((tls_model("initial-exec")));
#endif

#include <urcu/urcu-bp.h>
#include <urcu/static/urcu-bp.h>

#include "fork_guard.h"
#include "long_sections.h"
#include "sanitizer.h"

/// Registers the calling thread as a reader. Cold: once in a thread's life.
void cp_register_reader(void);

static inline __attribute__((always_inline)) void cp_read_lock(void) {
  // liburcu's test for a thread's first section, made before it. In a forked child the way to registration must not be
  // liburcu's, which may wait for a lock that a vanished thread holds. The compiler makes one test of the two.
  if (__builtin_expect(!URCU_TLS(urcu_bp_reader), 0)) cp_register_reader();
  _urcu_bp_read_lock();
}

/// Begins a section for a thread that is registered, and calls nothing. Returns 0, and begins none, for another thread.
static inline __attribute__((always_inline)) int cp_try_read_lock(void) {
  if (__builtin_expect(!URCU_TLS(urcu_bp_reader), 0)) return 0;
  _urcu_bp_read_lock();
  return 1;
}

static inline __attribute__((always_inline)) void cp_read_unlock(void) {
  CPLATFORM_RELEASE(&urcu_bp_gp);
  _urcu_bp_read_unlock();
}

/// A thread that was never in a section is not registered by the question.
static inline int cp_read_ongoing(void) { return URCU_TLS(urcu_bp_reader) && _urcu_bp_read_ongoing() != 0; }

static inline void cp_synchronize(void) {
  cp_check_not_forked();
  cp_begin_grace_period();
  urcu_bp_synchronize_rcu();
  cp_end_grace_period();
  CPLATFORM_ACQUIRE(&urcu_bp_gp);
}

#endif
