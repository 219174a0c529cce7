// What the calling thread may do when no frame is free.
#ifndef CPLATFORM_RECLAIM_SCOPE_H
#define CPLATFORM_RECLAIM_SCOPE_H

/// How many scopes with locks that reclaim may need the thread is in.
extern __thread int cp_reclaim_refusals __attribute__((tls_model("initial-exec")));
/// More than zero while the thread reclaims.
extern __thread int cp_reclaim_depth __attribute__((tls_model("initial-exec")));

static inline int cp_get_reclaim_refusals(void) { return cp_reclaim_refusals; }
static inline void cp_add_reclaim_refusals(int change) { cp_reclaim_refusals += change; }

static inline int cp_get_reclaim_depth(void) { return cp_reclaim_depth; }
static inline void cp_add_reclaim_depth(int change) { cp_reclaim_depth += change; }

#endif
