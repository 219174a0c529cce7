// The ring's two sides meet by the heads and tails alone, as the kernel's ABI has them. A read gives bytes of ones.
#include "kernel_ring.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "checked.h"
#include "futex.h"

// A number that no call of the C library knows.
enum { ring_number = 1 << 28, submissions = 2 };

static struct {
  unsigned head, tail, mask, array[submissions];
} taken;
static struct {
  unsigned head, tail, mask;
  struct io_uring_cqe results[1];
} given;
static struct io_uring_sqe entries[submissions];
static int is_open;
// How many submissions calls have told of, and whether the thread waits for that. A call comes after what its caller
// did.
static unsigned told;
static int waits_for_calls;

void mm_ring_takes_at_calls(void) { waits_for_calls = 1; }

long mm_ring_enter(unsigned submitted) {
  if (waits_for_calls) __atomic_fetch_add(&told, submitted, __ATOMIC_RELEASE);
  // The kernel's thread takes what was submitted.
  mm_pause();
  return submitted;
}

static long transfer(const struct io_uring_sqe *entry) {
  const struct iovec *vectors = (const struct iovec *)(uintptr_t)entry->addr;
  long bytes = 0;
  for (unsigned index = 0; index < entry->len; index++) {
    memset(vectors[index].iov_base, 0xff, vectors[index].iov_len);
    bytes += (long)vectors[index].iov_len;
  }
  return bytes;
}

static void *serve(void *unused) {
  unsigned head = 0, tail = 0;
  // So the checker knows from the beginning that two threads meet there.
  __atomic_store_n(&given.tail, 0, __ATOMIC_RELAXED);
  for (;;) {
    while ((waits_for_calls && __atomic_load_n(&told, __ATOMIC_ACQUIRE) == head) ||
           __atomic_load_n(&taken.tail, __ATOMIC_ACQUIRE) == head) {
      if (!__atomic_load_n(&is_open, __ATOMIC_ACQUIRE)) return NULL;
      mm_pause();
    }
    const struct io_uring_sqe *entry = &entries[taken.array[head & taken.mask]];
    struct io_uring_cqe result = {.user_data = entry->user_data, .res = (int)transfer(entry)};
    __atomic_store_n(&taken.head, ++head, __ATOMIC_RELEASE);
    while (__atomic_load_n(&given.head, __ATOMIC_ACQUIRE) != tail) mm_pause();
    given.results[0] = result;
    __atomic_store_n(&given.tail, ++tail, __ATOMIC_RELEASE);
  }
}

int mm_ring_setup(struct io_uring_params *params) {
  taken.mask = submissions - 1;
  params->sq_entries = submissions;
  params->cq_entries = 1;
  params->sq_off.tail = offsetof(__typeof__(taken), tail);
  params->sq_off.ring_mask = offsetof(__typeof__(taken), mask);
  params->sq_off.array = offsetof(__typeof__(taken), array);
  params->cq_off.head = offsetof(__typeof__(given), head);
  params->cq_off.tail = offsetof(__typeof__(given), tail);
  params->cq_off.ring_mask = offsetof(__typeof__(given), mask);
  params->cq_off.cqes = offsetof(__typeof__(given), results);
  __atomic_store_n(&is_open, 1, __ATOMIC_RELEASE);
  pthread_t thread;
  pthread_create(&thread, 0, serve, 0);
  return ring_number;
}

void *mm_mmap(void *start, size_t bytes, int protection, int flags, int file, off_t offset) {
  switch (offset) {
    case IORING_OFF_SQ_RING: return &taken;
    case IORING_OFF_CQ_RING: return &given;
    default: return entries;
  }
}

// The ring is closed.
int mm_munmap(void *start, size_t bytes) {
  __atomic_store_n(&is_open, 0, __ATOMIC_RELEASE);
  return 0;
}
