#define _GNU_SOURCE
#include "descriptor.h"
#include "io_ring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// How often in a row the kernel may say that it is short of memory while nothing is under way.
enum { refusal_limit = 64 };

// The kernel writes the heads of what it takes and the tails of what it gives, this side the others. Each is stored
// with release and loaded with acquire by the other side.
struct cp_ring {
  int descriptor;
  // For tests: the next `refusals` calls of the kernel fail with `refusal`.
  int refusal;
  unsigned refusals;
  void *submissions, *completions;
  size_t submissions_size, completions_size, entries_size;
  struct io_uring_sqe *entries;
  struct io_uring_cqe *results;
  unsigned *submission_tail, *submission_array, submission_mask;
  unsigned *completion_head, *completion_tail, completion_mask;
};

static int map(struct cp_ring *ring, const struct io_uring_params *params) {
  ring->submissions_size = params->sq_off.array + params->sq_entries * sizeof(unsigned);
  ring->completions_size = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
  ring->entries_size = params->sq_entries * sizeof(struct io_uring_sqe);
  int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
  ring->submissions = mmap(NULL, ring->submissions_size, protection, flags, ring->descriptor, IORING_OFF_SQ_RING);
  ring->completions = mmap(NULL, ring->completions_size, protection, flags, ring->descriptor, IORING_OFF_CQ_RING);
  ring->entries = mmap(NULL, ring->entries_size, protection, flags, ring->descriptor, IORING_OFF_SQES);
  if (ring->submissions == MAP_FAILED || ring->completions == MAP_FAILED || ring->entries == MAP_FAILED)
    return 0;
  char *submissions = ring->submissions, *completions = ring->completions;
  ring->submission_tail = (unsigned *)(submissions + params->sq_off.tail);
  ring->submission_array = (unsigned *)(submissions + params->sq_off.array);
  ring->submission_mask = *(unsigned *)(submissions + params->sq_off.ring_mask);
  ring->completion_head = (unsigned *)(completions + params->cq_off.head);
  ring->completion_tail = (unsigned *)(completions + params->cq_off.tail);
  ring->completion_mask = *(unsigned *)(completions + params->cq_off.ring_mask);
  ring->results = (struct io_uring_cqe *)(completions + params->cq_off.cqes);
  return 1;
}

struct cp_ring *cp_ring_open(unsigned entries) {
  struct cp_ring *ring = calloc(1, sizeof *ring);
  if (!ring)
    return NULL;
  struct io_uring_params params = {0};
  ring->submissions = ring->completions = ring->entries = MAP_FAILED;
  ring->descriptor = cp_above_standard((int)syscall(SYS_io_uring_setup, entries, &params));
  if (ring->descriptor >= 0 && map(ring, &params))
    return ring;
  cp_ring_close(ring);
  return NULL;
}

void cp_ring_close(struct cp_ring *ring) {
  if (ring->submissions != MAP_FAILED)
    munmap(ring->submissions, ring->submissions_size);
  if (ring->completions != MAP_FAILED)
    munmap(ring->completions, ring->completions_size);
  if (ring->entries != MAP_FAILED)
    munmap(ring->entries, ring->entries_size);
  if (ring->descriptor >= 0)
    close(ring->descriptor);
  free(ring);
}

// Takes the results that are there. Returns how many.
static unsigned reap(struct cp_ring *ring, struct cp_ring_transfer *transfers) {
  unsigned head = *ring->completion_head, taken = 0;
  unsigned tail = __atomic_load_n(ring->completion_tail, __ATOMIC_ACQUIRE);
  for (; head != tail; head++, taken++) {
    const struct io_uring_cqe *result = &ring->results[head & ring->completion_mask];
    transfers[result->user_data].result = result->res;
  }
  __atomic_store_n(ring->completion_head, head, __ATOMIC_RELEASE);
  return taken;
}

static long enter(struct cp_ring *ring, unsigned to_submit, unsigned to_wait_for) {
  if (ring->refusals > 0) {
    ring->refusals--;
    errno = ring->refusal;
    return -1;
  }
  return syscall(SYS_io_uring_enter, ring->descriptor, to_submit, to_wait_for, IORING_ENTER_GETEVENTS, NULL, 0);
}

void cp_ring_refuse(struct cp_ring *ring, int error, unsigned times) {
  ring->refusal = error;
  ring->refusals = times;
}

void cp_ring_run(struct cp_ring *ring, struct cp_ring_transfer *transfers, unsigned count) {
  unsigned tail = *ring->submission_tail;
  for (unsigned index = 0; index < count; index++) {
    unsigned place = (tail + index) & ring->submission_mask;
    struct io_uring_sqe *entry = &ring->entries[place];
    memset(entry, 0, sizeof *entry);
    entry->opcode = transfers[index].is_write ? IORING_OP_WRITEV : IORING_OP_READV;
    entry->fd = transfers[index].file;
    entry->addr = (unsigned long)transfers[index].vectors;
    entry->len = (unsigned)transfers[index].vector_count;
    entry->off = (unsigned long)transfers[index].offset;
    entry->user_data = index;
    ring->submission_array[place] = place;
  }
  __atomic_store_n(ring->submission_tail, tail + count, __ATOMIC_RELEASE);
  unsigned submitted = 0, done = 0, refused = 0;
  // What was submitted uses the caller's memory until it is done, so this returns for no error before.
  while (done < count) {
    long entered = enter(ring, count - submitted, count - done);
    if (entered > 0) {
      submitted += (unsigned)entered;
      refused = 0;
    }
    int failure = entered < 0 ? errno : 0;
    done += reap(ring, transfers);
    if (failure == 0 || failure == EINTR || done < submitted)
      continue;
    // Short of memory. It may pass. If it does not, the caller has another way.
    if ((failure == EAGAIN || failure == EBUSY) && ++refused < refusal_limit) {
      sched_yield();
      continue;
    }
    // Nothing is under way, and the kernel takes no more: the rest is taken back.
    __atomic_store_n(ring->submission_tail, tail + submitted, __ATOMIC_RELEASE);
    for (unsigned index = submitted; index < count; index++)
      transfers[index].result = -failure;
    return;
  }
}
