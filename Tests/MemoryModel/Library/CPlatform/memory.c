// In place of mappings: zeroes of the checker's, at the same addresses in each execution. Nothing is ever untouchable.
#include "memory.h"

#include "files.h"

void *mm_reserve(size_t bytes);

int cp_memory_file(const char *name, size_t bytes) { return mm_new_file(); }

void *cp_reserve(size_t bytes) { return mm_reserve(bytes); }
int cp_commit(void *at, size_t bytes, int file, size_t file_offset, int writable, int shared) {
  if (file >= 0) mm_map_file(file, at, file_offset, bytes);
  return 0;
}
int cp_wipe_in_children(void *at, size_t bytes) { return 0; }
int cp_decommit(void *at, size_t bytes) { return 0; }
void cp_release(void *at, size_t bytes) {}
