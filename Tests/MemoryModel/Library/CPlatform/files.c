// Files of a few pages: see files.h. The objects' calls of the C library come here.
//
// The bytes of a page of the swap file are plain memory, so an access that races is reported. A page that is mapped is written through
// its mapping, word by word, as the kernel may do.
#include "files.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "checked.h"
#include "racy_copy.h"

// The first number is one that the kernel gives to no file.
enum { page_bytes = 4096, most_pages = 4, most_files = 4, first_number = 1 << 29 };

static struct {
  unsigned char contents[most_pages * page_bytes];
  // The mapping of the file's beginning.
  unsigned char *mapped;
  // Atomic and relaxed: the kernel's locks are no order that a program may count on.
  off_t length;
} files[most_files];
static int count;

int mm_new_file(void) { return first_number + count++; }

static int index_of(int file, size_t bytes, off_t offset) {
  int index = file - first_number;
  int is_inside = offset >= 0 && (size_t)offset + bytes <= most_pages * page_bytes;
  return index >= 0 && index < count && is_inside ? index : -1;
}

void mm_map_file(int file, void *at, size_t offset, size_t bytes) {
  // A larger one is RAM, which is never read or written as a file.
  int index = index_of(file, bytes, (off_t)offset);
  if (index < 0 || offset != 0) return;
  files[index].mapped = at;
  memcpy(at, files[index].contents, bytes);
}

// Swift's `open` of three arguments, which the objects call under its Swift name. The two calling conventions agree on these.
int mm_open(const char *path, int flags, unsigned mode) { return mm_new_file(); }

int mm_close(int file) { return file >= first_number ? 0 : close(file); }

ssize_t mm_pwrite(int file, const void *bytes, size_t count, off_t offset) {
  // A larger file is an image of zeroes, as its mapping is.
  if (file >= first_number && count > most_pages * page_bytes) return (ssize_t)count;
  int index = index_of(file, count, offset);
  if (index < 0) return -1;
  if (files[index].mapped)
    cp_racy_copy(files[index].mapped + offset, bytes, count);
  else
    memcpy(files[index].contents + offset, bytes, count);
  return (ssize_t)count;
}

ssize_t mm_pread(int file, void *bytes, size_t count, off_t offset) {
  int index = index_of(file, count, offset);
  if (index < 0) return -1;
  memcpy(bytes, files[index].contents + offset, count);
  return (ssize_t)count;
}

// What follows is for files that have a length.

int mm_new_file_of(off_t bytes) {
  int file = mm_new_file();
  return mm_ftruncate(file, bytes) == 0 ? file : -1;
}

int mm_ftruncate(int file, off_t bytes) {
  int index = index_of(file, (size_t)bytes, 0);
  if (index < 0) return -1;
  __atomic_store_n(&files[index].length, bytes, __ATOMIC_RELAXED);
  return 0;
}

int mm_fstat(int file, struct stat *status) {
  int index = index_of(file, 0, 0);
  if (index < 0) return fstat(file, status);
  *status = (struct stat){.st_mode = S_IFREG, .st_size = __atomic_load_n(&files[index].length, __ATOMIC_RELAXED)};
  return 0;
}

ssize_t mm_preadv(int file, const struct iovec *vectors, int count, off_t offset) {
  int index = index_of(file, 0, offset);
  if (index < 0) return -1;
  off_t end = __atomic_load_n(&files[index].length, __ATOMIC_RELAXED), from = offset;
  for (int i = 0; i < count && offset < end; i++) {
    size_t bytes = vectors[i].iov_len < (size_t)(end - offset) ? vectors[i].iov_len : (size_t)(end - offset);
    cp_racy_copy(vectors[i].iov_base, files[index].contents + offset, bytes);
    offset += (off_t)bytes;
  }
  return offset - from;
}
