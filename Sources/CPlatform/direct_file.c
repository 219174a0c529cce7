#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>

#include "direct_file.h"

int cp_direct_flag(void) { return O_DIRECT; }

int cp_punch_hole(int file, long offset, long bytes) {
  return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) == 0 ? 0 : -errno;
}
