// Long-term pins for reading (FOLL_PIN | FOLL_LONGTERM without FOLL_WRITE).
//
// A kernel takes them for devices behind VFIO, iommufd and RDMA. For a program alone it takes them only if it was built
// for its own tests (CONFIG_GUP_TEST): one range at a time, all of it or nothing.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "oracle.h"

#define tester_path "/sys/kernel/debug/gup_test"

// The three requests of the kernel's `gup_test` driver, since Linux 6.2.
struct pinned_range {
  uint64_t address, length;
  // 0: for reading, by the slow path.
  uint32_t flags;
};
#define start_pin _IOW('g', 7, struct pinned_range)
#define stop_pin _IO('g', 8)
#define read_pin _IOW('g', 9, uint64_t)

static int tester = -1;

const char *missing_reading_pins(void) {
  static char text[128];
  // Kept open: the spaces inherit it.
  if (tester < 0) tester = open(tester_path, O_RDWR | O_CLOEXEC);
  if (tester >= 0) return NULL;
  snprintf(text, sizeof text, tester_path ": %s", strerror(errno));
  return text;
}

int64_t pin_for_reading(uint64_t address, uint64_t pages) {
  int error = EINVAL;
  // A pin ends before its first page that is refused: try shorter ranges.
  for (uint64_t count = pages; count > 0; count--) {
    struct pinned_range range = {address, count * page_size, 0};
    if (ioctl(tester, start_pin, &range) == 0) return (int64_t)count;
    error = errno;
  }
  return -error;
}

void drop_reading_pins(void) {
  if (ioctl(tester, stop_pin) != 0) oracle_die("release a pin for reading");
}

void peek_reading_pins(uint64_t pages, uint64_t offset, uint64_t count, unsigned char *bytes) {
  static unsigned char all[max_pin_pages * page_size];
  uint64_t address = (uintptr_t)all;
  if (pages > max_pin_pages || ioctl(tester, read_pin, &address) != 0) oracle_die("read by a pin for reading");
  memcpy(bytes, all + offset, count);
}
