#define _GNU_SOURCE
#include "CBenchmark.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int direct_io_flag(void) { return O_DIRECT; }

// A standard stream that was closed when the program began: without this the first file that is opened gets its number,
// and what is printed goes into that file. Each is opened the wrong way round, so that using it still fails with EBADF.
__attribute__((constructor)) static void open_standard_streams(void) {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
    if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

#if __GLIBC_PREREQ(2, 32)
const char *errno_name(int code) {
  const char *name = strerrorname_np(code);
  return name ? name : "unknown errno";
}

const char *errno_description(int code) {
  const char *text = strerrordesc_np(code);
  return text ? text : "unknown error";
}
#else
const char *errno_name(int code) {
  static __thread char text[24];
  snprintf(text, sizeof text, "errno %d", code);
  return text;
}

const char *errno_description(int code) {
  static __thread char text[128];
  return strerror_r(code, text, sizeof text);
}
#endif

// Read before any thread binds itself, so that every thread counts among the same processors.
static cpu_set_t usable;
static int usable_count;

__attribute__((constructor)) static void find_usable(void) {
  if (sched_getaffinity(0, sizeof usable, &usable) == 0)
    usable_count = CPU_COUNT(&usable);
}

int usable_processors(void) { return usable_count > 0 ? usable_count : 1; }

int run_on_processor(int index) {
  if (usable_count == 0)
    return ENOSYS;
  int wanted = index % usable_count;
  for (int processor = 0; processor < CPU_SETSIZE; processor++) {
    if (!CPU_ISSET(processor, &usable) || wanted-- > 0)
      continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0 ? 0 : errno;
  }
  return EINVAL;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t time_fork(void) {
  uint64_t start = now();
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  uint64_t elapsed = now() - start;
  if (child < 0)
    return 0;
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
    ;
  return elapsed;
}

int write_back_file_range(int file, int64_t offset, int64_t bytes) {
  const unsigned flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  return sync_file_range(file, offset, bytes, flags) == 0 ? 0 : errno;
}

int page_out(void *start, size_t bytes) {
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
  return madvise(start, bytes, MADV_PAGEOUT) == 0 ? 0 : errno;
}

int resident_pages(void *start, size_t bytes, unsigned char *flags) {
  return mincore(start, bytes, flags) == 0 ? 0 : errno;
}

uint64_t process_time(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t major_faults(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_majflt : 0;
}

void give_back_free_memory(void) { malloc_trim(0); }
