// The timed loops of a subject, made of its `pin_page(space, page)`, which returns what `release_page(space, held)`
// needs, or NULL. A subject that pins ranges in another way writes its own range loop.
#ifndef CFLOOR_LOOPS_H
#define CFLOOR_LOOPS_H

#include "CFloor.h"
#include "table.h"

#define DEFINE_LOOP(space_type, held_type)                                                                             \
  static uint64_t loop(void *context, struct floor_work *work, uint64_t iterations) {                                  \
    space_type *space = context;                                                                                       \
    uint64_t state = work->state, first = work->first, span = work->span, failures = 0;                                \
    for (uint64_t i = 0; i < iterations; i++) {                                                                        \
      held_type *held = pin_page(space, first + random_below(&state, span));                                           \
      if (__builtin_expect(held == NULL, 0))                                                                           \
        failures++;                                                                                                    \
      else                                                                                                             \
        release_page(space, held);                                                                                     \
    }                                                                                                                  \
    work->state = state;                                                                                               \
    return failures;                                                                                                   \
  }

#define DEFINE_RANGE_LOOP(space_type, held_type)                                                                       \
  static uint64_t range_loop(void *context, struct floor_work *work, uint64_t iterations) {                            \
    space_type *space = context;                                                                                       \
    held_type *held[floor_range];                                                                                      \
    uint64_t failures = 0;                                                                                             \
    for (uint64_t i = 0; i < iterations; i++) {                                                                        \
      uint64_t page = work->first + random_below(&work->state, work->span - floor_range + 1);                          \
      int pinned = 0;                                                                                                  \
      while (pinned < floor_range && (held[pinned] = pin_page(space, page + pinned)) != NULL)                          \
        pinned++;                                                                                                      \
      failures += floor_range - pinned;                                                                                \
      while (pinned > 0)                                                                                               \
        release_page(space, held[--pinned]);                                                                           \
    }                                                                                                                  \
    return failures;                                                                                                   \
  }

#endif
