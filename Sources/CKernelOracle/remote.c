// References and pins that the kernel takes on another process's pages and gives back before the system call returns.
//
// `pin` without `longterm` becomes process_vm_readv and process_vm_writev, which pin pages while they copy.
// `get ... force` becomes /proc/PID/mem, which ignores permissions as a debugger does. Each peek and poke through such
// a pin repeats the call. So nothing else may happen before the pin is released. `Comparability` (Sources/Fuzz) rejects
// other programs.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "oracle.h"

// Copies bytes inside one page. Returns 0 or -errno.
static int force_piece(int memory, bool write_in, uint64_t address, void *bytes, uint64_t count) {
  ssize_t done = write_in ? pwrite(memory, bytes, count, (off_t)address) : pread(memory, bytes, count, (off_t)address);
  // /proc/PID/mem answers EIO for every reason.
  return done == (ssize_t)count ? 0 : done < 0 && errno != EIO ? -errno : -EFAULT;
}

int64_t copy_remotely(pid_t process, bool write_in, uint64_t address, void *bytes, uint64_t count) {
  struct iovec here = {bytes, count}, there = {(void *)(uintptr_t)address, count};
  ssize_t done = write_in ? process_vm_writev(process, &here, 1, &there, 1, 0)
                          : process_vm_readv(process, &here, 1, &there, 1, 0);
  return done < 0 ? -errno : done;
}

static int copy_piece(pid_t process, bool write_in, uint64_t address, void *bytes, uint64_t count) {
  int64_t done = copy_remotely(process, write_in, address, bytes, count);
  return done == (int64_t)count ? 0 : done < 0 ? (int)done : -EFAULT;
}

static int open_memory(pid_t process) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", (int)process);
  int memory = open(path, O_RDWR | O_CLOEXEC);
  if (memory < 0) oracle_die(path);
  return memory;
}

// Linux's `PROCMAP_QUERY` (6.11), which the headers may lack.
struct mapping_query {
  uint64_t size, flags, address, start, end, permissions, page_size, offset, inode;
  uint32_t device[2], name_size, build_id_size;
  uint64_t name, build_id;
};

// Whether a mapping that holds `address` is known to forbid stores. A read to find that out would map a page of zeroes.
static bool forbids_stores(pid_t process, uint64_t address) {
  const uint64_t writable = 2;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/maps", (int)process);
  int maps = open(path, O_RDONLY | O_CLOEXEC);
  struct mapping_query query = {.size = sizeof query, .address = address};
  bool is_known = maps >= 0 && ioctl(maps, _IOWR('f', 17, struct mapping_query), &query) == 0;
  if (maps >= 0) close(maps);
  return is_known && !(query.permissions & writable);
}

int64_t try_remote(pid_t process, bool force, bool write_in, uint64_t address, uint64_t pages) {
  int memory = open_memory(process);
  int error = 0;
  uint64_t done = 0;
  while (done < pages) {
    uint64_t at = address + done * page_size;
    unsigned char byte;
    if (!force && write_in && forbids_stores(process, at)) error = -EFAULT;
    if (error) break;
    // Writing the byte that is there makes the kernel take the page for writing. Read it by the call that changes
    // least.
    if (force || write_in) error = force_piece(memory, false, at, &byte, 1);
    if (!error && force && write_in) error = force_piece(memory, true, at, &byte, 1);
    if (!error && !force) error = copy_piece(process, write_in, at, &byte, 1);
    if (error) break;
    done++;
  }
  close(memory);
  return done > 0 || !error ? (int64_t)done : error;
}

void move_remotely(
    pid_t process, bool force, bool write_in, uint64_t address, uint64_t count, unsigned char *bytes) {
  int memory = open_memory(process);
  for (uint64_t done = 0; done < count;) {
    uint64_t length = page_size - (address + done) % page_size;
    if (length > count - done) length = count - done;
    int error = force ? force_piece(memory, write_in, address + done, bytes + done, length)
                      : copy_piece(process, write_in, address + done, bytes + done, length);
    if (error) oracle_die("a page that was had is gone");
    done += length;
  }
  close(memory);
}
