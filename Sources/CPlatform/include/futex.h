// Waiting in the kernel on a 32-bit word.
#ifndef CPLATFORM_FUTEX_H
#define CPLATFORM_FUTEX_H

#include <stdint.h>

/// Sleeps while `*word == expected`. May wake for no reason.
void cp_futex_wait(uint32_t *word, uint32_t expected);
/// Wakes at most `count` sleepers.
void cp_futex_wake(uint32_t *word, int count);

/// One turn of a spin loop: tells the processor that the thread waits (`cpu_relax`).
static inline void cp_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#endif
