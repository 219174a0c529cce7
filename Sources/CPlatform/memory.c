#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "descriptor.h"
#include "memory.h"

int cp_memory_file(const char *name, size_t bytes) {
  int file = cp_above_standard(memfd_create(name, MFD_CLOEXEC));
  if (file < 0) return -errno;
  if (ftruncate(file, (off_t)bytes) != 0) {
    int error = errno;
    close(file);
    return -error;
  }
  return file;
}

void *cp_reserve(size_t bytes) {
  void *at = mmap(0, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? 0 : at;
}

int cp_commit(void *at, size_t bytes, int file, size_t file_offset, int writable, int shared) {
  int protection = PROT_READ | (writable ? PROT_WRITE : 0);
  int flags = MAP_FIXED | MAP_NORESERVE | (shared ? MAP_SHARED : MAP_PRIVATE) | (file < 0 ? MAP_ANONYMOUS : 0);
  return mmap(at, bytes, protection, flags, file, (off_t)file_offset) == MAP_FAILED ? -errno : 0;
}

int cp_wipe_in_children(void *at, size_t bytes) { return madvise(at, bytes, MADV_WIPEONFORK) == 0 ? 0 : -errno; }

int cp_decommit(void *at, size_t bytes) {
  int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  return mmap(at, bytes, PROT_NONE, flags, -1, 0) == MAP_FAILED ? -errno : 0;
}

void cp_release(void *at, size_t bytes) { munmap(at, bytes); }
