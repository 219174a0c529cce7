// The reference protocol: load the entry, add a reference and a pin, load the entry again. One subtraction releases
// both.
#include "descriptors.h"
#include "loops.h"

/// Pins the frame that an entry maps. Returns NULL if it may not be pinned. The caller is inside a read-side section.
static inline __attribute__((always_inline)) struct descriptor *try_pin(struct space *space, entry_t *ptep) {
  uint64_t entry = atomic_load(ptep);
  if (__builtin_expect(!may_pin(entry), 0))
    return NULL;
  struct descriptor *frame = &space->frames[entry_frame(entry)];
  if (__builtin_expect(retain(frame) && atomic_load(ptep) == entry, 1))
    return frame;
  put(frame);
  return NULL;
}

static inline __attribute__((always_inline)) struct descriptor *pin_page(struct space *space, uint64_t page) {
  uint64_t address = AREA_START + (page << PAGE_SHIFT);
  if (__builtin_expect(address >= ADDRESS_LIMIT, 0))
    return NULL;
  struct descriptor *frame = NULL;
  _urcu_bp_read_lock();
  entry_t *ptep = table_entry(space->root, address);
  if (__builtin_expect(ptep != NULL, 1))
    frame = try_pin(space, ptep);
  _urcu_bp_read_unlock();
  if (__builtin_expect(frame != NULL, 1))
    count(space->counters, 0, 1);
  return frame;
}

static inline __attribute__((always_inline)) void release_page(struct space *space, struct descriptor *frame) {
  (void)space;
  put(frame);
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
    int pinned = 0;
    _urcu_bp_read_lock();
    while (pinned < floor_range) {
      entry_t *ptep = table_entry(space->root, address + ((uint64_t)pinned << PAGE_SHIFT));
      int last = pinned + ENTRIES - (int)entry_index(address + ((uint64_t)pinned << PAGE_SHIFT), 1);
      if (!ptep)
        break;
      if (last > floor_range)
        last = floor_range;
      while (pinned < last && (held[pinned] = try_pin(space, ptep++)) != NULL)
        pinned++;
      if (pinned < last)
        break;
    }
    _urcu_bp_read_unlock();
    count(space->counters, 0, pinned);
    failures += floor_range - pinned;
    while (pinned > 0)
      put(held[--pinned]);
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
