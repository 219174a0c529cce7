// What the kernel tells about the page at an address: /proc/PID/pagemap, /proc/kpageflags and /proc/kpagecount.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle.h"

// Bits of an entry of pagemap. Without CAP_SYS_ADMIN the number is 0.
static const uint64_t present = UINT64_C(1) << 63, swapped = UINT64_C(1) << 62, of_file = UINT64_C(1) << 61;
static const uint64_t number = (UINT64_C(1) << 55) - 1;
static const uint64_t unreadable = UINT64_MAX;

static uint64_t word_at(const char *path, uint64_t index) {
  uint64_t word = 0;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || pread(file, &word, sizeof word, (off_t)(index * sizeof word)) != sizeof word) word = unreadable;
  if (file >= 0) close(file);
  return word;
}

static uint64_t entry_of(pid_t process, uint64_t address) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/pagemap", (int)process);
  return word_at(path, address / page_size);
}

static uint64_t flags_of(uint64_t entry) { return word_at("/proc/kpageflags", entry & number); }
static uint64_t maps_of(uint64_t entry) { return word_at("/proc/kpagecount", entry & number); }

void print_frame(pid_t process, uint64_t address) {
  const uint64_t anonymous = UINT64_C(1) << 12;
  uint64_t entry = entry_of(process, address);
  if (entry == unreadable) return (void)puts("unknown");
  if (!(entry & present) || (entry & of_file)) return (void)puts("other");
  if ((entry & number) == 0) return (void)puts("unknown");
  uint64_t flags = flags_of(entry), maps = maps_of(entry);
  if (flags == unreadable || maps == unreadable) return (void)puts("unknown");
  // The zero page is not anonymous.
  if (!(flags & anonymous)) return (void)puts("other");
  printf("maps=%llu anon\n", (unsigned long long)maps);
}

// A page of the driver that was stored to; null if there is none.
static void *stored_page(void) {
  char *page = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return NULL;
  *page = 1;
  return page;
}

const char *missing_frames(void) {
  void *page = stored_page();
  if (!page) return strerror(errno);
  uint64_t entry = entry_of(getpid(), (uint64_t)(uintptr_t)page);
  const char *reason = NULL;
  if (entry == unreadable) reason = "/proc/PID/pagemap cannot be read";
  else if ((entry & number) == 0) reason = "/proc/PID/pagemap does not tell this process the frame";
  else if (flags_of(entry) == unreadable) reason = "/proc/kpageflags cannot be read";
  else if (maps_of(entry) == unreadable) reason = "/proc/kpagecount cannot be read";
  munmap(page, page_size);
  return reason;
}

// A line in /proc/swaps does not say that this process may use it: a control group may have `memory.swap.max` 0.
const char *missing_swap(void) {
  enum { attempts = 8 };
  const char *reason = "a page that is paged out stays";
  for (int i = 0; i < attempts && reason; i++) {
    void *page = stored_page();
    if (!page) return strerror(errno);
    if (madvise(page, page_size, parse_advice("pageout")) != 0) reason = strerror(errno);
    uint64_t entry = entry_of(getpid(), (uint64_t)(uintptr_t)page);
    if (entry == unreadable) reason = "/proc/PID/pagemap cannot be read";
    else if (entry & swapped) reason = NULL;
    munmap(page, page_size);
  }
  return reason;
}

// How much of this process's private memory is in 2 MiB entries.
static unsigned long huge_kilobytes(void) {
  FILE *mappings = fopen("/proc/self/smaps", "re");
  if (!mappings) return 0;
  char line[512];
  unsigned long all = 0, one;
  while (fgets(line, sizeof line, mappings))
    if (sscanf(line, "AnonHugePages: %lu kB", &one) == 1) all += one;
  fclose(mappings);
  return all;
}

// A kernel without huge pages may take the advice, and one with them may have no 2 MiB free at the moment.
const char *missing_huge(void) {
  enum { huge = 2 << 20, attempts = 4, length = (attempts + 1) * huge };
  char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return strerror(errno);
  const char *reason = "2 MiB that were asked for in one entry came in base pages";
  unsigned long before = huge_kilobytes();
  if (madvise(memory, length, MADV_HUGEPAGE) != 0) reason = strerror(errno);
  char *first = memory + (huge - (uintptr_t)memory % huge) % huge;
  for (int i = 0; i < attempts && reason; i++) {
    first[(size_t)i * huge] = 1;
    if (huge_kilobytes() > before) reason = NULL;
  }
  munmap(memory, length);
  return reason;
}
