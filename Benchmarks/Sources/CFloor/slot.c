// The slot protocol: load the entry, store the frame in a slot of this thread, leave the section. A store of zero releases it.
#include "descriptors.h"
#include "loops.h"

#define SLOTS 16
#define THREADS 4096

static _Atomic uint64_t slots[THREADS][SLOTS] __attribute__((aligned(128)));

static __attribute__((noinline)) _Atomic uint64_t *claim_other(_Atomic uint64_t *block, uint64_t value) {
  for (int slot = 1; slot < SLOTS; slot++)
    if (atomic_load_explicit(&block[slot], memory_order_relaxed) == 0) {
      atomic_store_explicit(&block[slot], value, memory_order_relaxed);
      return &block[slot];
    }
  return NULL;
}

static inline __attribute__((always_inline)) _Atomic uint64_t *pin_page(struct space *space, uint64_t page) {
  uint64_t address = AREA_START + (page << PAGE_SHIFT);
  if (__builtin_expect(address >= ADDRESS_LIMIT, 0))
    return NULL;
  _Atomic uint64_t *slot = NULL;
  _urcu_bp_read_lock();
  entry_t *ptep = table_entry(space->root, address);
  if (__builtin_expect(ptep != NULL, 1)) {
    uint64_t entry = atomic_load(ptep);
    int thread = thread_index();
    if (__builtin_expect(may_pin(entry) && thread < THREADS, 1)) {
      uint64_t value = (uint64_t)(uintptr_t)&space->frames[entry_frame(entry)] | 1;
      slot = slots[thread];
      if (__builtin_expect(atomic_load_explicit(slot, memory_order_relaxed) == 0, 1))
        atomic_store_explicit(slot, value, memory_order_relaxed);
      else
        slot = claim_other(slot, value);
    }
  }
  _urcu_bp_read_unlock();
  if (__builtin_expect(slot != NULL, 1))
    count(space->counters, 0, 1);
  return slot;
}

static inline __attribute__((always_inline)) void release_page(struct space *space, _Atomic uint64_t *slot) {
  (void)space;
  atomic_store_explicit(slot, 0, memory_order_release);
}

DEFINE_LOOP(struct space, _Atomic uint64_t)

static uint64_t leaks(void *context) {
  uint64_t held = space_leaks(context);
  for (int thread = 0; thread < THREADS; thread++)
    for (int slot = 0; slot < SLOTS; slot++)
      held += atomic_load(&slots[thread][slot]) != 0;
  return held;
}

const struct floor_subject floor_slot = {
    .name = "c-slot",
    .create = space_create,
    .loop = loop,
    .range_loop = NULL, // more pages than slots: a range is what references are for
    .leaks = leaks,
    .destroy = space_destroy,
};
