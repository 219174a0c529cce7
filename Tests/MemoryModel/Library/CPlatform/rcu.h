// In place of liburcu: sections and grace periods are the checker's axiom.
#ifndef CPLATFORM_RCU_H
#define CPLATFORM_RCU_H

#include <pthread.h>

#include "checked.h"

// What the thread that watches grace periods looks at in liburcu. Nothing is ever in a section there.
struct urcu_bp_gp { unsigned long ctr; };
struct urcu_bp_reader { unsigned long ctr; pthread_t tid; };
extern struct urcu_bp_gp urcu_bp_gp;
extern __thread struct urcu_bp_reader mm_reader;
#define URCU_TLS(name) (&mm_reader)
#define URCU_BP_GP_CTR_PHASE 2ul
#define URCU_BP_GP_CTR_NEST_MASK 1ul

void mm_rcu_read_lock(void);
void mm_rcu_read_unlock(void);
void mm_synchronize_rcu(void);
int mm_rcu_read_ongoing(void);

static inline __attribute__((always_inline)) void cp_read_lock(void) { mm_rcu_read_lock(); }
static inline __attribute__((always_inline)) int cp_try_read_lock(void) { mm_rcu_read_lock(); return 1; }
static inline __attribute__((always_inline)) void cp_read_unlock(void) { mm_rcu_read_unlock(); }
static inline int cp_read_ongoing(void) { return mm_rcu_read_ongoing(); }
static inline void cp_synchronize(void) { mm_synchronize_rcu(); }

#endif
