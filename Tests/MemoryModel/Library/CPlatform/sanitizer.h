// In place of what ThreadSanitizer must be told: nothing. Only frame contents are copied by atomic accesses, as under it.
#ifndef CPLATFORM_SANITIZER_H
#define CPLATFORM_SANITIZER_H

// For racy_copy.h: a copy that the checker sees.
#define CPLATFORM_TSAN 1

// ThreadSanitizer knows no order of readers outside of sections, and gets sections instead. The checker does without.
static inline int cp_inline_is_instrumented(void) { return 0; }
int cp_outline_is_instrumented(void);

static inline void cp_tsan_acquire(const void *address) { (void)address; }
static inline void cp_tsan_release(const void *address) { (void)address; }

#endif
