// The reference protocol: read the entry, add a reference and a pin, read the entry again; give them back by a subtraction.
#include "descriptors.h"
#include "loops.h"

/// The frame behind an entry, taken; NULL where it cannot be. Inside a read-side section.
static inline __attribute__((always_inline)) struct descriptor *take(struct space *space, entry_t *place) {
  uint64_t entry = atomic_load(place);
  if (__builtin_expect(!may_pin(entry), 0))
    return NULL;
  struct descriptor *frame = &space->frames[entry_frame(entry)];
  take_counts(frame);
  if (__builtin_expect(atomic_load(place) == entry, 1))
    return frame;
  put_counts(frame);
  return NULL;
}

static inline __attribute__((always_inline)) struct descriptor *take_page(struct space *space, uint64_t page) {
  uint64_t address = AREA_START + (page << PAGE_SHIFT);
  if (__builtin_expect(address >= ADDRESS_LIMIT, 0))
    return NULL;
  struct descriptor *frame = NULL;
  _urcu_bp_read_lock();
  entry_t *place = table_entry(space->root, address);
  if (__builtin_expect(place != NULL, 1))
    frame = take(space, place);
  _urcu_bp_read_unlock();
  if (__builtin_expect(frame != NULL, 1))
    count(space->counters, 0, 1);
  return frame;
}

static inline __attribute__((always_inline)) void release_page(struct space *space, struct descriptor *frame) {
  (void)space;
  put_counts(frame);
}

DEFINE_LOOP(struct space, struct descriptor)

/// One section and one descent for all pages of a range that share a lowest node.
static uint64_t range_loop(void *context, struct floor_work *work, uint64_t iterations) {
  struct space *space = context;
  struct descriptor *held[floor_range];
  uint64_t failures = 0;
  for (uint64_t i = 0; i < iterations; i++) {
    uint64_t page = work->first + random_below(&work->state, work->span - floor_range + 1);
    uint64_t address = AREA_START + (page << PAGE_SHIFT);
    int taken = 0;
    _urcu_bp_read_lock();
    while (taken < floor_range) {
      entry_t *place = table_entry(space->root, address + ((uint64_t)taken << PAGE_SHIFT));
      int last = taken + ENTRIES - (int)entry_index(address + ((uint64_t)taken << PAGE_SHIFT), 1);
      if (!place)
        break;
      if (last > floor_range)
        last = floor_range;
      while (taken < last && (held[taken] = take(space, place++)) != NULL)
        taken++;
      if (taken < last)
        break;
    }
    _urcu_bp_read_unlock();
    count(space->counters, 0, taken);
    failures += floor_range - taken;
    while (taken > 0)
      put_counts(held[--taken]);
  }
  return failures;
}

const struct floor_subject floor_reference = {
    .name = "c-reference",
    .create = space_create,
    .loop = loop,
    .range_loop = range_loop,
    .leaks = space_leaks,
    .destroy = space_destroy,
};
