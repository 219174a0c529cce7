// What the calling thread does with lists of deferred objects.
#ifndef CPLATFORM_RELEASE_SCOPE_H
#define CPLATFORM_RELEASE_SCOPE_H

/// A list that the thread is releasing from at this moment: a stack, innermost first. It lies in the frame of the
/// function that releases.
struct cp_release_scope {
  const void *list;
  struct cp_release_scope *outer;
};

extern __thread struct cp_release_scope *cp_innermost_release_scope __attribute__((tls_model("initial-exec")));

static inline struct cp_release_scope *cp_innermost_release(void) { return cp_innermost_release_scope; }

static inline void cp_set_innermost_release(struct cp_release_scope *scope) { cp_innermost_release_scope = scope; }

/// Lists of objects that the thread could not release in its scope: the head of a chain, or null. The chain is the
/// library's.
extern __thread void *cp_left_objects __attribute__((tls_model("initial-exec")));

static inline void *cp_get_left_objects(void) { return cp_left_objects; }

static inline void cp_set_left_objects(void *chain) { cp_left_objects = chain; }

#endif
