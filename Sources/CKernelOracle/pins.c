// References and pins on real pages. They outlive the process that took them.
//
// A reference for reading (FOLL_GET) is a page spliced into a pipe. A long-term pin for writing (FOLL_PIN |
// FOLL_LONGTERM) is a fixed buffer of an io_uring. Each page has a slot of its own, so that part of a range can be
// pinned. The driver makes the ring and the pipes before the first space. A space takes pins through the inherited
// descriptors. The driver uses and releases them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "oracle.h"

static int held_pages[max_pins][2];
// A pipe through which bytes travel from or to a page.
static int passage[2];

static int ring;
static struct io_uring_sqe *entries;
static struct io_uring_cqe *completions;
static unsigned *submission_tail, *submission_array, *completion_head, *completion_tail;
static unsigned submission_mask, completion_mask;

static const char *failure(const char *what) {
  static char text[128];
  snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
  return text;
}

static bool make_pipe(int *ends, int flags) {
  return pipe2(ends, O_CLOEXEC | flags) == 0 && fcntl(ends[0], F_SETPIPE_SZ, max_pin_pages * page_size) > 0;
}

static const char *make_ring(void) {
  struct io_uring_params params = {0};
  ring = (int)syscall(SYS_io_uring_setup, 4, &params);
  if (ring < 0) return failure("io_uring_setup");
  size_t submission_size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  size_t completion_size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
  int prot = PROT_READ | PROT_WRITE;
  char *submissions = mmap(NULL, submission_size, prot, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  char *completed = mmap(NULL, completion_size, prot, MAP_SHARED, ring, IORING_OFF_CQ_RING);
  entries = mmap(NULL, params.sq_entries * sizeof *entries, prot, MAP_SHARED, ring, IORING_OFF_SQES);
  if (submissions == MAP_FAILED || completed == MAP_FAILED || entries == MAP_FAILED) return failure("map the ring");
  submission_tail = (unsigned *)(submissions + params.sq_off.tail);
  submission_array = (unsigned *)(submissions + params.sq_off.array);
  submission_mask = *(unsigned *)(submissions + params.sq_off.ring_mask);
  completion_head = (unsigned *)(completed + params.cq_off.head);
  completion_tail = (unsigned *)(completed + params.cq_off.tail);
  completion_mask = *(unsigned *)(completed + params.cq_off.ring_mask);
  completions = (struct io_uring_cqe *)(completed + params.cq_off.cqes);

  struct io_uring_rsrc_register table = {.nr = max_pins * max_pin_pages, .flags = IORING_RSRC_REGISTER_SPARSE};
  if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS2, &table, sizeof table) < 0)
    return failure("io_uring_register");
  return NULL;
}

// Sets one slot to the memory that `buffer` names, or to nothing. Returns 0 or -errno.
static int set_slot(int slot, struct iovec buffer) {
  struct io_uring_rsrc_update2 update = {.offset = (unsigned)slot, .data = (uintptr_t)&buffer, .nr = 1};
  long done = syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS_UPDATE, &update, sizeof update);
  return done == 1 ? 0 : done == 0 ? -EAGAIN : -errno;
}

// Tries every kind of pin on a page of the driver.
static const char *try_out(void) {
  static unsigned char page[page_size] __attribute__((aligned(page_size)));
  unsigned char got[2] = {0}, put[2] = {4, 5};
  page[7] = 1;
  page[8] = 2;
  if (reference_pages(0, (uintptr_t)page, 1) != 1) return failure("vmsplice");
  peek_references(0, 1, 7, 2, got);
  if (got[0] != 1 || got[1] != 2) return "vmsplice and tee show other bytes";
  drop_references(0);
  if (pin_pages(0, (uintptr_t)page, 1) != 1) return failure("register a buffer");
  move_through_pin(0, false, (uintptr_t)page, 7, 2, got);
  if (got[0] != 1 || got[1] != 2) return "a fixed write shows other bytes";
  move_through_pin(0, true, (uintptr_t)page, 7, 2, put);
  if (page[7] != 4 || page[8] != 5) return "a fixed read stores other bytes";
  drop_pins(0, 1);
  return NULL;
}

const char *make_pins(void) {
  for (int i = 0; i < max_pins; i++)
    if (!make_pipe(held_pages[i], O_NONBLOCK)) return failure("pipe");
  if (!make_pipe(passage, 0)) return failure("pipe");
  const char *problem = make_ring();
  return problem ? problem : try_out();
}

int64_t reference_pages(int pin, uint64_t address, uint64_t pages) {
  struct iovec range = {.iov_base = (void *)(uintptr_t)address, .iov_len = pages * page_size};
  ssize_t bytes = vmsplice(held_pages[pin][1], &range, 1, SPLICE_F_NONBLOCK);
  return bytes < 0 ? -errno : bytes / page_size;
}

int64_t pin_pages(int pin, uint64_t address, uint64_t pages) {
  for (uint64_t i = 0; i < pages; i++) {
    struct iovec page = {.iov_base = (void *)(uintptr_t)(address + i * page_size), .iov_len = page_size};
    int error = set_slot(pin * max_pin_pages + (int)i, page);
    if (error) return i > 0 ? (int64_t)i : error;
  }
  return (int64_t)pages;
}

static void read_all(int pipe, unsigned char *bytes, uint64_t count) {
  while (count > 0) {
    ssize_t done = read(pipe, bytes, count);
    if (done <= 0) oracle_die("read a pipe");
    bytes += done;
    count -= (uint64_t)done;
  }
}

static unsigned char scratch[max_pin_pages * page_size];

void drop_references(int pin) {
  while (read(held_pages[pin][0], scratch, sizeof scratch) > 0) {
  }
}

void drop_pins(int pin, uint64_t pages) {
  for (uint64_t i = 0; i < pages; i++)
    if (set_slot(pin * max_pin_pages + (int)i, (struct iovec){0})) oracle_die("release a pin");
}

void peek_references(int pin, uint64_t pages, uint64_t offset, uint64_t count, unsigned char *bytes) {
  // A second pipe gets the same pages. Reading it leaves the first pipe full.
  uint64_t whole = pages * page_size;
  if (tee(held_pages[pin][0], passage[1], whole, SPLICE_F_NONBLOCK) != (ssize_t)whole) oracle_die("tee");
  read_all(passage[0], scratch, whole);
  memcpy(bytes, scratch + offset, count);
}

// Lets the ring move bytes between a page's slot and the passage.
static void move_piece(int slot, bool write, uint64_t address, uint64_t count) {
  unsigned tail = *submission_tail;
  unsigned place = tail & submission_mask;
  entries[place] = (struct io_uring_sqe){
      // Seen from the file, a transfer into memory is a read.
      .opcode = write ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED,
      .fd = passage[write ? 0 : 1],
      .addr = address,
      .len = (unsigned)count,
      .off = (uint64_t)-1,
      .buf_index = (unsigned short)slot,
  };
  submission_array[place] = place;
  __atomic_store_n(submission_tail, tail + 1, __ATOMIC_RELEASE);
  long done = 0;
  do {
    done = syscall(SYS_io_uring_enter, ring, done < 0 ? 0 : 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
  } while (done < 0 && errno == EINTR);
  if (done < 0) oracle_die("io_uring_enter");
  unsigned head = *completion_head;
  if (head == __atomic_load_n(completion_tail, __ATOMIC_ACQUIRE)) oracle_die("no completion");
  int result = completions[head & completion_mask].res;
  __atomic_store_n(completion_head, head + 1, __ATOMIC_RELEASE);
  if (result != (int)count) oracle_die("a fixed transfer");
}

void move_through_pin(int pin, bool write_in, uint64_t address, uint64_t offset, uint64_t count, unsigned char *bytes) {
  for (uint64_t done = 0; done < count;) {
    uint64_t at = offset + done;
    uint64_t length = page_size - at % page_size;
    if (length > count - done) length = count - done;
    int slot = pin * max_pin_pages + (int)(at / page_size);
    if (write_in && write(passage[1], bytes + done, length) != (ssize_t)length) oracle_die("write a pipe");
    move_piece(slot, write_in, address + at, length);
    if (!write_in) read_all(passage[0], bytes + done, length);
    done += length;
  }
}
