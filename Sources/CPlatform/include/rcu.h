// The read-side section and the grace period.
//
// liburcu's own inline readers say that they meet the LGPL's ten-line criterion, so they may be called from a program
// under any licence; nothing else of liburcu is inlined here.
//
// liburcu itself is not instrumented. Its two guarantees are therefore spelled out for ThreadSanitizer: what a section
// did before it ended happens before the return of a grace period that waited for it (release at unlock, acquire after
// synchronize), and what a writer did before a grace period began happens before sections that begin after it (that
// edge is carried by the atomic through which the reader finds the data, so no annotation is added for it).
#ifndef CPLATFORM_RCU_H
#define CPLATFORM_RCU_H

#include <urcu/urcu-bp.h>
#include <urcu/static/urcu-bp.h>

#include "sanitizer.h"

static inline __attribute__((always_inline)) void cp_read_lock(void) { _urcu_bp_read_lock(); }

static inline __attribute__((always_inline)) void cp_read_unlock(void) {
  CPLATFORM_RELEASE(&urcu_bp_gp);
  _urcu_bp_read_unlock();
}

static inline int cp_read_ongoing(void) { return _urcu_bp_read_ongoing() != 0; }

static inline void cp_synchronize(void) {
  urcu_bp_synchronize_rcu();
  CPLATFORM_ACQUIRE(&urcu_bp_gp);
}

#endif
