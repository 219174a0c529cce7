// What not every kernel has, tried out on memory of the driver.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oracle.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

int seal(void *address, uint64_t length) { return (int)syscall(SYS_mseal, address, length, 0); }

// Linux 6.10 has it, on 64-bit machines.
static const char *missing_seal(void) { return seal(NULL, 0) == 0 ? NULL : strerror(errno); }

// Linux 6.13 has guard markers in anonymous memory, 6.15 in files as well.
static const char *missing_guards(void) {
  int fd = make_file(false, page_size, NULL);
  void *page = mmap(NULL, page_size, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return strerror(errno);
  bool failed = madvise(page, page_size, parse_advice("guard-install")) != 0;
  const char *reason = failed ? strerror(errno) : NULL;
  munmap(page, page_size);
  return reason;
}

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

int make_secret(uint64_t length) {
  int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
  if (fd >= 0 && ftruncate(fd, (off_t)length) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

// A kernel may have it and keep it off (`secretmem.enable=0`).
static const char *missing_secret(void) {
  int fd = make_secret(page_size);
  void *page = fd < 0 ? MAP_FAILED : mmap(NULL, page_size, PROT_READ, MAP_SHARED, fd, 0);
  const char *reason = page == MAP_FAILED ? strerror(errno) : NULL;
  if (page != MAP_FAILED) munmap(page, page_size);
  if (fd >= 0) close(fd);
  return reason;
}

// A process may lock so much only (`RLIMIT_MEMLOCK`). A program of the generator locks less than this.
static const char *missing_lock(void) {
  enum { length = 1 << 20 };
  void *pages = mmap(NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return strerror(errno);
  const char *reason = mlock(pages, length) == 0 ? NULL : strerror(errno);
  munmap(pages, length);
  return reason;
}

static void print_missing(const char *word, const char *reason) {
  if (reason) printf("without %s: %s\n", word, reason);
}

void print_missing_words(void) {
  print_missing("diskfile", missing_disk());
  print_missing("image", missing_image());
  print_missing("device", missing_device());
  print_missing("longterm-read", missing_reading_pins());
  print_missing("guard-install", missing_guards());
  print_missing("seal", missing_seal());
  print_missing("lock", missing_lock());
  print_missing("secret", missing_secret());
  print_missing("frame", missing_frames());
  print_missing("swap", missing_swap());
  print_missing("huge", missing_huge());
}
