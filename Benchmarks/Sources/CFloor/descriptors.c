#include "descriptors.h"

void *space_create(size_t pages) {
  struct space *space = make_zeroed(sizeof *space, 64);
  space->root = table_create(pages);
  space->frames = make_zeroed((pages + 1) * sizeof(struct descriptor), 64);
  space->counters = make_zeroed(sizeof *space->counters, 64);
  space->pages = pages;
  pthread_rwlock_init(&space->lock, NULL);
  for (size_t frame = 1; frame <= pages; frame++)
    atomic_store(&space->frames[frame].counts, ONE_REFERENCE);
  return space;
}

void space_destroy(void *context) {
  struct space *space = context;
  pthread_rwlock_destroy(&space->lock);
  table_destroy(space->root);
  free(space->frames);
  free(space->counters);
  free(space);
}

uint64_t space_leaks(void *context) {
  struct space *space = context;
  uint64_t leaks = 0;
  for (size_t frame = 1; frame <= space->pages; frame++)
    leaks += (atomic_load(&space->frames[frame].counts) - ONE_REFERENCE) / ONE_REFERENCE;
  return leaks;
}

__attribute__((noinline)) void free_frame(struct descriptor *frame) { atomic_store(&frame->state, 0); }
