// In place of the kernel's futex and of the processor's hint: the checker's.
#ifndef CPLATFORM_FUTEX_H
#define CPLATFORM_FUTEX_H

#include <stdint.h>

void mm_futex_wait(uint32_t *word, uint32_t expected);
void mm_futex_wake(uint32_t *word, int count);
void mm_pause(void);

static inline void cp_futex_wait(uint32_t *word, uint32_t expected) { mm_futex_wait(word, expected); }
static inline void cp_futex_wake(uint32_t *word, int count) { mm_futex_wake(word, count); }
static inline void cp_pause(void) { mm_pause(); }

#endif
