#ifndef CFLOOR_H
#define CFLOOR_H

#include <stddef.h>
#include <stdint.h>

/// The protocols of the library written by hand in C, each over its own page table, and timed loops over them. Their
/// loops choose pages as `XorShift` in Swift does, from the same state.

/// What a timed loop works on: pages `first ..< first + span` of `pages` resident ones. `state` goes on from loop to loop.
struct floor_work {
  uint64_t first;
  uint64_t span;
  uint64_t state;
};

/// The reference protocol.
struct floor_reference;
struct floor_reference *floor_reference_create(size_t pages);
void floor_reference_destroy(struct floor_reference *space);

/// Pins and unpins a page `iterations` times. Returns how many could not be pinned.
uint64_t floor_reference_loop(struct floor_reference *space, struct floor_work *work, uint64_t iterations);

/// All references that are held, but for one for each mapping: zero when no pin is left.
uint64_t floor_reference_leaks(struct floor_reference *space);

#endif
