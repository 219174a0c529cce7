#ifndef CFLOOR_RANDOM_H
#define CFLOOR_RANDOM_H

#include <stdint.h>

/// xorshift64*, a number below `span`: what `XorShift.below` does.
static inline __attribute__((always_inline)) uint64_t random_below(uint64_t *state, uint64_t span) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return (((x * 0x2545f4914f6cdd1dull) >> 32) * span) >> 32;
}

#endif
