// The one audited routine through which frame contents are copied.
//
// The bytes of a frame are raced over by design, exactly as on real hardware. A device, another address space, or the
// program on another thread may write while they are read. A copy must then deliver, for each byte, some value that was
// stored there, and nothing more: a word may come in pieces. A caller that needs a word whole loads and stores it as
// one.
//
// Under ThreadSanitizer the copy is made of relaxed atomic accesses, so that a report always means a bug elsewhere.
// Otherwise it is the C library's copy. The compiler cannot see through that call, and it satisfies the above on every
// machine that the library is built for. It is never used on memory that only one thread may reach.
#ifndef CPLATFORM_RACY_COPY_H
#define CPLATFORM_RACY_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sanitizer.h"

#ifdef CPLATFORM_TSAN
static inline void cp_racy_copy(void *to, const void *from, size_t count) {
  char *d = (char *)to;
  const char *s = (const char *)from;
  if ((((uintptr_t)d | (uintptr_t)s) & 7) == 0) {
    for (; count >= 8; count -= 8, d += 8, s += 8)
      __atomic_store_n((uint64_t *)d, __atomic_load_n((const uint64_t *)s, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
  }
  for (; count > 0; count--, d++, s++)
    __atomic_store_n(d, __atomic_load_n(s, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}
static inline void cp_racy_fill(void *to, uint8_t byte, size_t count) {
  uint8_t *d = (uint8_t *)to;
  for (; count > 0 && ((uintptr_t)d & 7) != 0; count--, d++) __atomic_store_n(d, byte, __ATOMIC_RELAXED);
  uint64_t word = UINT64_C(0x0101010101010101) * byte;
  for (; count >= 8; count -= 8, d += 8) __atomic_store_n((uint64_t *)d, word, __ATOMIC_RELAXED);
  for (; count > 0; count--, d++) __atomic_store_n(d, byte, __ATOMIC_RELAXED);
}
#else
static inline void cp_racy_copy(void *to, const void *from, size_t count) { memcpy(to, from, count); }
static inline void cp_racy_fill(void *to, uint8_t byte, size_t count) { memset(to, byte, count); }
#endif

/// The offset of the first byte that is not `byte`, or -1.
static inline ptrdiff_t cp_first_other(const void *from, uint8_t byte, size_t count) {
  const uint8_t *s = (const uint8_t *)from;
  for (size_t i = 0; i < count; i++)
    if (__atomic_load_n(&s[i], __ATOMIC_RELAXED) != byte) return (ptrdiff_t)i;
  return -1;
}

/// The index of the first of `words[from..<count]` that is not zero, or `count`.
///
/// Other threads may store to the words meanwhile: each is read whole. `words` is aligned to 64 bytes.
static inline ptrdiff_t cp_first_set(const uint64_t *words, ptrdiff_t from, ptrdiff_t count) {
#if defined(__x86_64__) && !defined(CPLATFORM_TSAN)
  // Two words in one load: the machine reads the halves of an aligned one whole.
  typedef uint64_t pair __attribute__((vector_size(16), may_alias));
  while (from % 8 != 0 && from < count && __atomic_load_n(&words[from], __ATOMIC_RELAXED) == 0) from++;
  if (from % 8 == 0) {
    for (; from + 8 <= count; from += 8) {
      const volatile pair *at = (const volatile pair *)&words[from];
      pair any = at[0] | at[1] | at[2] | at[3];
      if (any[0] | any[1]) break;
    }
  }
#endif
  while (from < count && __atomic_load_n(&words[from], __ATOMIC_RELAXED) == 0) from++;
  return from;
}

/// How many of 32 keys are above `key`. Keys are below 2^63, and so is `key`.
///
/// The highest bit of `key - other` says whether `other` is above. Other threads may store to the keys meanwhile: each
/// is read whole. `keys` is aligned to 16 bytes.
static inline ptrdiff_t cp_count_above(const uint64_t *keys, uint64_t key) {
#if defined(__x86_64__) && !defined(CPLATFORM_TSAN)
  // Two keys in one load: see above.
  typedef uint64_t pair __attribute__((vector_size(16), may_alias));
  const volatile pair *at = (const volatile pair *)keys;
  pair wanted = {key, key}, above = {0, 0};
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i++) above += (wanted - at[i]) >> 63;
  return (ptrdiff_t)(above[0] + above[1]);
#else
  ptrdiff_t above = 0;
  for (int i = 0; i < 32; i++) above += (ptrdiff_t)((key - __atomic_load_n(&keys[i], __ATOMIC_RELAXED)) >> 63);
  return above;
#endif
}

#endif
