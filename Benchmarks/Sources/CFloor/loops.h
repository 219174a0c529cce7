// The timed loops of a subject, made of its `take_page(space, page)`, which returns what `release_page(space, held)` needs
// or NULL. Subjects that take ranges in another way write their own range loop.
#ifndef CFLOOR_LOOPS_H
#define CFLOOR_LOOPS_H

#include "CFloor.h"
#include "table.h"

#define DEFINE_LOOP(space_type, held_type)                                                                             \
  static uint64_t loop(void *context, struct floor_work *work, uint64_t iterations) {                                  \
    space_type *space = context;                                                                                       \
    uint64_t state = work->state, first = work->first, span = work->span, failures = 0;                                \
    for (uint64_t i = 0; i < iterations; i++) {                                                                        \
      held_type *held = take_page(space, first + random_below(&state, span));                                          \
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
      int taken = 0;                                                                                                   \
      while (taken < floor_range && (held[taken] = take_page(space, page + taken)) != NULL)                            \
        taken++;                                                                                                       \
      failures += floor_range - taken;                                                                                 \
      while (taken > 0)                                                                                                \
        release_page(space, held[--taken]);                                                                            \
    }                                                                                                                  \
    return failures;                                                                                                   \
  }

#endif
