// The reference protocol: read the entry, add a reference and a pin, read the entry again; give them back by a subtraction.
#include "CFloor.h"
#include "table.h"

#define ONE_REFERENCE 1ull
#define ONE_PIN (1ull << 32)

struct descriptor {
  _Atomic uint64_t counts;
  _Atomic uint64_t state;
};

struct floor_reference {
  entry_t *root;
  struct descriptor *frames;
  size_t pages;
  struct counters *counters;
};

struct floor_reference *floor_reference_create(size_t pages) {
  struct floor_reference *space = make_zeroed(sizeof *space, 64);
  space->root = table_create(pages);
  space->frames = make_zeroed((pages + 1) * sizeof(struct descriptor), 64);
  space->counters = make_zeroed(sizeof *space->counters, 64);
  space->pages = pages;
  for (size_t frame = 1; frame <= pages; frame++)
    atomic_store(&space->frames[frame].counts, ONE_REFERENCE);
  return space;
}

void floor_reference_destroy(struct floor_reference *space) {
  table_destroy(space->root);
  free(space->frames);
  free(space->counters);
  free(space);
}

static __attribute__((noinline)) void free_frame(struct descriptor *frame) { atomic_store(&frame->state, 0); }

static inline __attribute__((always_inline)) void unpin(struct descriptor *frame) {
  uint64_t counts = ONE_REFERENCE + ONE_PIN;
  uint64_t old = atomic_fetch_sub_explicit(&frame->counts, counts, memory_order_acq_rel);
  if (__builtin_expect((uint32_t)(old - counts) == 0, 0))
    free_frame(frame);
}

static inline __attribute__((always_inline)) struct descriptor *pin(struct floor_reference *space, uint64_t address) {
  struct descriptor *frame = NULL;
  if (__builtin_expect(address >= ADDRESS_LIMIT, 0))
    return NULL;
  _urcu_bp_read_lock();
  entry_t *place = table_entry(space->root, address);
  if (__builtin_expect(place != NULL, 1)) {
    uint64_t entry = atomic_load(place);
    if (__builtin_expect((entry & ENTRY_MASK) == ENTRY_PRESENT, 1)) {
      frame = &space->frames[entry_frame(entry)];
      atomic_fetch_add(&frame->counts, ONE_REFERENCE + ONE_PIN);
      if (__builtin_expect(atomic_load(place) != entry, 0)) {
        unpin(frame);
        frame = NULL;
      }
    }
  }
  _urcu_bp_read_unlock();
  if (__builtin_expect(frame != NULL, 1))
    count(space->counters, 0);
  return frame;
}

uint64_t floor_reference_loop(struct floor_reference *space, struct floor_work *work, uint64_t iterations) {
  uint64_t state = work->state, first = work->first, span = work->span, failures = 0;
  for (uint64_t i = 0; i < iterations; i++) {
    struct descriptor *frame = pin(space, AREA_START + ((first + random_below(&state, span)) << PAGE_SHIFT));
    if (__builtin_expect(frame == NULL, 0))
      failures++;
    else
      unpin(frame);
  }
  work->state = state;
  return failures;
}

uint64_t floor_reference_leaks(struct floor_reference *space) {
  uint64_t leaks = 0;
  for (size_t frame = 1; frame <= space->pages; frame++)
    leaks += atomic_load(&space->frames[frame].counts) - ONE_REFERENCE;
  return leaks;
}
