// Which lists of deferred objects the calling thread is releasing from at this moment: a stack, innermost first.
#ifndef CPLATFORM_RELEASE_SCOPE_H
#define CPLATFORM_RELEASE_SCOPE_H

/// One level of the stack. It lies in the frame of the function that releases.
struct cp_release_scope {
  const void *list;
  struct cp_release_scope *outer;
};

extern __thread struct cp_release_scope *cp_innermost_release_scope __attribute__((tls_model("initial-exec")));

static inline struct cp_release_scope *cp_innermost_release(void) { return cp_innermost_release_scope; }

static inline void cp_set_innermost_release(struct cp_release_scope *scope) { cp_innermost_release_scope = scope; }

#endif
