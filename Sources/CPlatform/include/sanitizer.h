// What ThreadSanitizer must be told, and a probe that it is listening.
#ifndef CPLATFORM_SANITIZER_H
#define CPLATFORM_SANITIZER_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CPLATFORM_TSAN 1
#endif
#endif

#ifdef CPLATFORM_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define CPLATFORM_ACQUIRE(address) __tsan_acquire((void *)(address))
#define CPLATFORM_RELEASE(address) __tsan_release((void *)(address))
#else
#define CPLATFORM_ACQUIRE(address) ((void)(address))
#define CPLATFORM_RELEASE(address) ((void)(address))
#endif

/// Whether the inline wrappers that Swift imports are instrumented. They are only with `-Xcc -fsanitize=thread`.
static inline int cp_inline_is_instrumented(void) {
#ifdef CPLATFORM_TSAN
  return 1;
#else
  return 0;
#endif
}

/// Whether this target's own C files are instrumented. Must agree with the inline probe.
int cp_outline_is_instrumented(void);

/// The happens-before edges of hand-over points that liburcu or the kernel makes and the sanitizer cannot see.
static inline void cp_tsan_acquire(const void *address) { CPLATFORM_ACQUIRE(address); }
static inline void cp_tsan_release(const void *address) { CPLATFORM_RELEASE(address); }

#endif
