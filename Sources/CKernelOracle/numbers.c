// Memory that the kernel maps by frame number (VM_PFNMAP).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oracle.h"

int open_image(const char *path) {
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) oracle_die("open an image");
  return fd;
}

static int open_event(void) {
  struct perf_event_attr event = {
      .type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_DUMMY, .disabled = 1};
  return (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

int make_device(void **page) {
  int fd = open_event();
  // The buffer lives as long as a mapping of it does.
  *page = fd < 0 ? MAP_FAILED : mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (*page == MAP_FAILED) oracle_die("make a device");
  memset(*page, 0, page_size);
  return fd;
}

// Whether the mapping at an address is by frame number: flag `pf` of /proc/self/smaps.
static bool is_frame_number_mapping(const void *address) {
  FILE *maps = fopen("/proc/self/smaps", "re");
  char line[512], start[32];
  snprintf(start, sizeof start, "%lx-", (unsigned long)address);
  bool is_here = false, found = false;
  while (maps && !found && fgets(line, sizeof line, maps)) {
    if (strncmp(line, start, strlen(start)) == 0) is_here = true;
    if (!is_here || strncmp(line, "VmFlags:", 8) != 0) continue;
    found = strstr(line, " pf ") != NULL;
    break;
  }
  if (maps) fclose(maps);
  return found;
}

const char *missing_image(void) {
  int fd = open(frame_number_file, O_RDONLY | O_CLOEXEC);
  size_t length = (size_t)frame_number_pages * page_size;
  void *pages = fd < 0 ? MAP_FAILED : mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
  const char *reason = pages == MAP_FAILED ? strerror(errno) : NULL;
  if (!reason && !is_frame_number_mapping(pages)) reason = "its mappings are not by frame number";
  if (pages != MAP_FAILED) munmap(pages, length);
  if (fd >= 0) close(fd);
  static char text[256];
  if (reason) snprintf(text, sizeof text, frame_number_file ": %s", reason);
  return reason ? text : NULL;
}

const char *missing_device(void) {
  int fd = open_event();
  void *page = fd < 0 ? MAP_FAILED : mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const char *reason = page == MAP_FAILED ? strerror(errno) : NULL;
  if (!reason && !is_frame_number_mapping(page)) reason = "the buffer of a perf event is not mapped by frame number";
  if (page != MAP_FAILED) munmap(page, page_size);
  if (fd >= 0) close(fd);
  return reason;
}
