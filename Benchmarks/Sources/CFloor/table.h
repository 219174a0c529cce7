// A page table of four levels over 48-bit addresses, entries atomic words of 64 bits: the same table as the library's.
#ifndef CFLOOR_TABLE_H
#define CFLOOR_TABLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <urcu/urcu-bp.h>
#include <urcu/static/urcu-bp.h>

#include "random.h"

#define PAGE_SHIFT 12
#define ENTRIES 512
#define ADDRESS_LIMIT (1ull << 47)
#define AREA_START 0x1000000000ull

#define ENTRY_PRESENT 1ull
#define ENTRY_WRITABLE 2ull
#define ENTRY_SPECIAL 4ull
#define ENTRY_HUGE 8ull
#define ENTRY_SHARED_COW 16ull
#define ENTRY_MASK (ENTRY_PRESENT | ENTRY_SPECIAL | ENTRY_HUGE | ENTRY_SHARED_COW)

typedef _Atomic uint64_t entry_t;

static inline uint64_t entry_frame(uint64_t entry) { return entry >> PAGE_SHIFT; }

static inline entry_t *entry_node(uint64_t link) {
  return (link & ENTRY_PRESENT) ? (entry_t *)(uintptr_t)(link & ~0xfffull) : NULL;
}

static inline unsigned entry_index(uint64_t address, int level) {
  return (unsigned)(address >> (PAGE_SHIFT + 9 * (level - 1))) & (ENTRIES - 1);
}

/// The address of the entry for `address`, or NULL. The caller is inside a read-side section.
static inline __attribute__((always_inline)) entry_t *table_entry(entry_t *root, uint64_t address) {
  entry_t *third = entry_node(atomic_load(&root[entry_index(address, 4)]));
  if (__builtin_expect(!third, 0))
    return NULL;
  entry_t *second = entry_node(atomic_load(&third[entry_index(address, 3)]));
  if (__builtin_expect(!second, 0))
    return NULL;
  entry_t *lowest = entry_node(atomic_load(&second[entry_index(address, 2)]));
  if (__builtin_expect(!lowest, 0))
    return NULL;
  return &lowest[entry_index(address, 1)];
}

entry_t *table_make_node(void);

/// Maps `pages` pages from AREA_START on to frames 1, 2, 3, ...
entry_t *table_create(size_t pages);
void table_destroy(entry_t *root);

/// The calling thread's number, from zero on.
extern __thread int floor_thread __attribute__((tls_model("initial-exec")));
int floor_register_thread(void);

static inline __attribute__((always_inline)) int thread_index(void) {
  int index = floor_thread;
  return __builtin_expect(index >= 0, 1) ? index : floor_register_thread();
}

/// Counters that every thread adds to on a line of its own.
#define COUNTER_SHARDS 64
struct counters {
  struct {
    _Atomic uint64_t words[8];
  } shards[COUNTER_SHARDS] __attribute__((aligned(64)));
};

static inline __attribute__((always_inline)) void count(struct counters *counters, int which, uint64_t amount) {
  int thread = thread_index();
  if (__builtin_expect(thread < COUNTER_SHARDS - 1, 1)) {
    _Atomic uint64_t *word = &counters->shards[thread].words[which];
    atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + amount, memory_order_relaxed);
  } else {
    atomic_fetch_add_explicit(&counters->shards[COUNTER_SHARDS - 1].words[which], amount, memory_order_relaxed);
  }
}

/// Zeroed memory on a boundary of `alignment`, or the end of the program.
void *make_zeroed(size_t size, size_t alignment);

#endif
