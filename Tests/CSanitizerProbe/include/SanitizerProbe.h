#pragma once

// Whether code is compiled with ThreadSanitizer, asked in the two places where C of this package is compiled: in the
// headers that Swift imports (the static inline function below), and in C files (the other one). The library's hot path
// is in headers.

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GUP_PROBE_THREAD_SANITIZER 1
#endif
#endif

/// 1 where C that Swift imports from headers is instrumented for ThreadSanitizer.
static inline int gup_probe_thread_sanitizer_inline(void) {
#ifdef GUP_PROBE_THREAD_SANITIZER
  return 1;
#else
  return 0;
#endif
}

/// 1 where C files are instrumented for ThreadSanitizer.
int gup_probe_thread_sanitizer_out_of_line(void);
