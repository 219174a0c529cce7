// Real files: in memory (memfd) and on a disk.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "oracle.h"

static const char *folder(void) {
  const char *set = getenv("TMPDIR");
  return set && *set ? set : "/var/tmp";
}

static int open_disk_file(void) { return open(folder(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600); }

// Another descriptor of the same file. Its reads bypass the kernel's page cache.
static int open_past_cache(int fd) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
}

const char *missing_disk(void) {
  static char text[256];
  struct statfs status;
  const char *what = NULL;
  int fd = open_disk_file();
  int direct = fd < 0 ? -1 : open_past_cache(fd);
  if (fd < 0 || fstatfs(fd, &status) != 0) what = strerror(errno);
  else if (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC) what = "its file system is in memory";
  else if (direct < 0) what = "its file system has no O_DIRECT";
  if (direct >= 0) close(direct);
  if (fd >= 0) close(fd);
  if (!what) return NULL;
  snprintf(text, sizeof text, "%s: %s", folder(), what);
  return text;
}

int make_file(bool on_disk, uint64_t length, const char *fill) {
  int fd = on_disk ? open_disk_file() : memfd_create("oracle", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, (off_t)length) != 0) oracle_die("make a file");
  // Without it the kernel reads neighbours ahead, into frames of several pages: see `write_bytes`.
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  if (fill) {
    memset(operand, parse_byte(fill), length);
    write_bytes(fd, 0, length);
  }
  return fd;
}

// Page by page. For a longer write the kernel takes a frame of several pages. If part of that is cut off, the kernel
// clears the part in place, and a pin of it would show zeroes: an accident of sizes, not a rule.
int write_bytes(int fd, uint64_t offset, uint64_t count) {
  for (uint64_t done = 0; done < count;) {
    uint64_t length = page_size - (offset + done) % page_size;
    if (length > count - done) length = count - done;
    ssize_t written = pwrite(fd, operand + done, length, (off_t)(offset + done));
    if (written < 0) return -errno;
    if (written != (ssize_t)length) oracle_die("write a file");
    done += length;
  }
  return 0;
}

int change_length(int fd, uint64_t length) { return ftruncate(fd, (off_t)length) == 0 ? 0 : -errno; }

int punch_hole(int fd, uint64_t offset, uint64_t length) {
  int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  return fallocate(fd, mode, (off_t)offset, (off_t)length) == 0 ? 0 : -errno;
}

int write_back(int fd) { return fdatasync(fd) == 0 ? 0 : -errno; }

void print_disk_bytes(int fd, uint64_t offset, uint64_t count) {
  static unsigned char bytes[max_bytes + 2 * page_size] __attribute__((aligned(page_size)));
  // Direct reads are of whole pages. The end of the file ends the last one.
  uint64_t start = offset / page_size * page_size;
  uint64_t length = (offset + count + page_size - 1) / page_size * page_size - start;
  int direct = open_past_cache(fd);
  if (direct < 0) oracle_die("open a file past the page cache");
  ssize_t there = pread(direct, bytes, length, (off_t)start);
  if (there < 0) oracle_die("read a file past the page cache");
  close(direct);
  uint64_t end = start + (uint64_t)there;
  uint64_t found = end > offset ? end - offset : 0;
  print_bytes(bytes + (offset - start), found < count ? found : count);
}
