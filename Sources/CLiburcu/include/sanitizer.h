// What ThreadSanitizer must be told, and a probe that it is listening.
#ifndef CLIBURCU_SANITIZER_H
#define CLIBURCU_SANITIZER_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CLIBURCU_TSAN 1
#endif
#endif

#ifdef CLIBURCU_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define CLIBURCU_ACQUIRE(address) __tsan_acquire((void *)(address))
#define CLIBURCU_RELEASE(address) __tsan_release((void *)(address))
#else
#define CLIBURCU_ACQUIRE(address) ((void)(address))
#define CLIBURCU_RELEASE(address) ((void)(address))
#endif

/// Whether the inline wrappers that Swift imports are instrumented. They are only with `-Xcc -fsanitize=thread`.
static inline int clu_inline_is_instrumented(void) {
#ifdef CLIBURCU_TSAN
  return 1;
#else
  return 0;
#endif
}

/// Whether this target's own C files are instrumented; must agree with the inline probe.
int clu_outline_is_instrumented(void);

/// The happens-before edges of hand-over points that liburcu or the kernel makes and the sanitizer cannot see.
static inline void clu_tsan_acquire(const void *address) { CLIBURCU_ACQUIRE(address); }
static inline void clu_tsan_release(const void *address) { CLIBURCU_RELEASE(address); }

#endif
