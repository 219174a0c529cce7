// An io_uring for transfers between a file and memory: many at once, and one system call for all.
#ifndef CPLATFORM_IO_RING_H
#define CPLATFORM_IO_RING_H

#include <sys/uio.h>

struct cp_ring;

/// A transfer. `result` is what `preadv` or `pwritev` would return, with a negated errno for an error.
struct cp_ring_transfer {
  int file;
  int is_write;
  const struct iovec *vectors;
  int vector_count;
  long offset;
  long result;
};

/// A ring for `entries` transfers at once. NULL if the kernel has none or allows none.
struct cp_ring *cp_ring_open(unsigned entries);
void cp_ring_close(struct cp_ring *ring);

/// Runs `count` transfers, at most as many as the ring has entries. Returns when all are over: one that the kernel did
/// not take has the errno of the refusal. One thread at a time.
void cp_ring_run(struct cp_ring *ring, struct cp_ring_transfer *transfers, unsigned count);

/// For tests: the next `times` system calls of the ring fail with `error`, and do nothing.
void cp_ring_refuse(struct cp_ring *ring, int error, unsigned times);

#endif
