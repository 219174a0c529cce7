// The slot protocol: load the entry, store the frame in a slot of this thread, leave the section. A store of zero
// releases it.
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

// A range: the thread's last slot has the address of a list of frames. The list's length is stored in the section that
// read the entries, so a page costs a load and a store. A store of zero to the slot releases all of them.
enum { SECTION = 64 };

struct list {
  _Atomic uint64_t length;
  _Atomic uint64_t frames[floor_range];
};

static struct list *lists[THREADS];

// Returns how many of the pages are held.
static inline __attribute__((always_inline)) int pin_range(struct space *space, struct list *list, uint64_t page) {
  int held = 0;
  while (held < floor_range) {
    uint64_t address = AREA_START + ((page + held) << PAGE_SHIFT);
    int room = ENTRIES - (int)entry_index(address, 1), end = floor_range - held, found = 0;
    end = end < room ? end : room;
    end = end < SECTION ? end : SECTION;
    _urcu_bp_read_lock();
    entry_t *entries = table_entry(space->root, address);
    if (__builtin_expect(entries != NULL, 1))
      for (; found < end; found++) {
        uint64_t entry = atomic_load_explicit(&entries[found], memory_order_acquire);
        if (__builtin_expect(!may_pin(entry), 0))
          break;
        uint64_t frame = (uint64_t)(uintptr_t)&space->frames[entry_frame(entry)];
        atomic_store_explicit(&list->frames[held + found], frame, memory_order_relaxed);
      }
    held += found;
    atomic_store_explicit(&list->length, held, memory_order_release);
    _urcu_bp_read_unlock();
    if (found < end)
      break;
  }
  return held;
}

static uint64_t range_loop(void *context, struct floor_work *work, uint64_t iterations) {
  struct space *space = context;
  int thread = thread_index();
  if (thread >= THREADS)
    return iterations * floor_range;
  if (lists[thread] == NULL)
    lists[thread] = make_zeroed(sizeof(struct list), 64);
  struct list *list = lists[thread];
  _Atomic uint64_t *slot = &slots[thread][SLOTS - 1];
  uint64_t failures = 0;
  for (uint64_t i = 0; i < iterations; i++) {
    uint64_t page = work->first + random_below(&work->state, work->span - floor_range + 1);
    atomic_store_explicit(&list->length, 0, memory_order_relaxed);
    atomic_store_explicit(slot, (uint64_t)(uintptr_t)list | 3, memory_order_release);
    int held = pin_range(space, list, page);
    count(space->counters, 0, held);
    failures += floor_range - held;
    atomic_store_explicit(slot, 0, memory_order_release);
  }
  return failures;
}

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
    .range_loop = range_loop,
    .leaks = leaks,
    .destroy = space_destroy,
};
