#include "table.h"

#include <stdio.h>

__thread int floor_thread __attribute__((tls_model("initial-exec"))) = -1;

// Numbers are used again when a thread ends, as the threads of one measurement come after those of another.

static _Atomic uint64_t taken[4096 / 64];
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void give_back(void *value) {
  int index = (int)(intptr_t)value - 1;
  atomic_fetch_and(&taken[index / 64], ~(1ull << (index % 64)));
}

static void make_key(void) { pthread_key_create(&key, give_back); }

int floor_register_thread(void) {
  pthread_once(&once, make_key);
  for (int index = 0; index < 4096; index++) {
    uint64_t bit = 1ull << (index % 64);
    if (atomic_fetch_or(&taken[index / 64], bit) & bit)
      continue;
    pthread_setspecific(key, (void *)(intptr_t)(index + 1));
    return floor_thread = index;
  }
  return floor_thread = 4095;
}

void *make_zeroed(size_t size, size_t alignment) {
  void *memory = NULL;
  if (posix_memalign(&memory, alignment, size) != 0) {
    fprintf(stderr, "out of memory\n");
    exit(1);
  }
  return memset(memory, 0, size);
}

entry_t *table_make_node(void) { return make_zeroed(ENTRIES * sizeof(entry_t), 4096); }

entry_t *table_create(size_t pages) {
  entry_t *root = table_make_node();
  for (size_t page = 0; page < pages; page++) {
    uint64_t address = AREA_START + (page << PAGE_SHIFT);
    entry_t *node = root;
    for (int level = 4; level > 1; level--) {
      entry_t *ptep = &node[entry_index(address, level)];
      if (!entry_node(atomic_load(ptep)))
        atomic_store(ptep, (uintptr_t)table_make_node() | ENTRY_PRESENT);
      node = entry_node(atomic_load(ptep));
    }
    atomic_store(&node[entry_index(address, 1)], ((page + 1) << PAGE_SHIFT) | ENTRY_PRESENT | ENTRY_WRITABLE);
  }
  return root;
}

static void destroy_node(entry_t *node, int level) {
  for (int index = 0; level > 1 && index < ENTRIES; index++) {
    entry_t *child = entry_node(atomic_load(&node[index]));
    if (child)
      destroy_node(child, level - 1);
  }
  free(node);
}

void table_destroy(entry_t *root) { destroy_node(root, 4); }
