// Which calls of page stores the calling thread is inside of.
#ifndef CPLATFORM_STORE_CALLS_H
#define CPLATFORM_STORE_CALLS_H

/// The innermost one, or null. The record is the caller's.
extern __thread void *cp_innermost_store_call __attribute__((tls_model("initial-exec")));

static inline void *cp_get_store_call(void) { return cp_innermost_store_call; }
static inline void cp_set_store_call(void *call) { cp_innermost_store_call = call; }

#endif
