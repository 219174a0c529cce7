#ifndef CFLOOR_H
#define CFLOOR_H

#include <stddef.h>
#include <stdint.h>

/// The library's protocols written by hand in C, and what a programmer would pick instead, each over its own resident
/// pages. Their loops choose pages as `XorShift` in Swift does, from the same state.

/// What a timed loop works on: pages `first ..< first + span`. `state` goes on from loop to loop.
struct floor_work {
  uint64_t first;
  uint64_t span;
  uint64_t state;
};

/// Pages in a range.
enum { floor_range = 512 };

/// A subject. `create` makes one with `pages` resident pages, `loop` pins and releases a page `iterations` times,
/// `range_loop` does the same with whole ranges, `leaks` counts the pins that were not released. Loops return how many
/// pages they could not pin.
struct floor_subject {
  const char *name;
  void *(*create)(size_t pages);
  uint64_t (*loop)(void *space, struct floor_work *work, uint64_t iterations);
  uint64_t (*range_loop)(void *space, struct floor_work *work, uint64_t iterations);
  uint64_t (*leaks)(void *space);
  void (*destroy)(void *space);
};

/// The reference protocol, and the slot protocol.
extern const struct floor_subject floor_reference, floor_slot;

/// A page table under a `pthread_rwlock`; liburcu's hash table with a count in each node; oneTBB's concurrent_hash_map.
extern const struct floor_subject floor_rwlock_table, floor_cds_lfht, floor_tbb;

/// The running kernel's own pins, ranges only: io_uring's registered buffers; vmsplice into a pipe and out of it.
/// `create` returns NULL if the kernel does not allow them.
extern const struct floor_subject floor_io_uring, floor_vmsplice;

/// The library's own engines through its C face. `create` returns NULL unless `floor_open_c_face` was called with the
/// path of `libuserpages.so`, which returns NULL, or what is wrong with it.
extern const struct floor_subject floor_c_face_reference, floor_c_face_slot;
const char *floor_open_c_face(const char *path);

/// The errno value of the last system call of the two kernel subjects that failed; 0 if none has.
int floor_kernel_error(void);

#endif
