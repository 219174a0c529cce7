// The running kernel's own pins of user memory, ranges of 512 pages: what io_uring does to registered buffers
// (pin_user_pages), and vmsplice into a pipe (get_user_pages_fast) and out of it to nowhere.
#define _GNU_SOURCE
#include "loops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE_SIZE 4096ull
#define PIPE_PAGES 256

struct kernel {
  char *memory;
  size_t pages;
  int nowhere;
};

/// Descriptors of the calling thread, closed when it ends.
struct thread_files {
  int ring;
  int pipe[2];
};

/// The errno value of the last system call that failed.
static _Atomic int last_error;

int floor_kernel_error(void) { return atomic_load(&last_error); }

/// Remembers errno if a call failed. Returns whether it did.
static bool failed(bool condition) {
  if (condition)
    atomic_store(&last_error, errno);
  return condition;
}

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void close_files(void *value) {
  struct thread_files *files = value;
  close(files->ring);
  close(files->pipe[0]);
  close(files->pipe[1]);
  free(files);
}

static void make_key(void) { pthread_key_create(&key, close_files); }

static struct thread_files *open_files(void) {
  struct thread_files *files = calloc(1, sizeof *files);
  struct io_uring_params parameters = {0};
  files->ring = (int)syscall(__NR_io_uring_setup, 4, &parameters);
  failed(files->ring < 0);
  if (failed(pipe2(files->pipe, O_CLOEXEC) != 0)) {
    files->pipe[0] = files->pipe[1] = -1;
    return files;
  }
  if (fcntl(files->pipe[1], F_SETPIPE_SZ, PIPE_PAGES * PAGE_SIZE) < (int)(PIPE_PAGES * PAGE_SIZE)) {
    failed(true);
    close(files->pipe[0]);
    close(files->pipe[1]);
    files->pipe[0] = files->pipe[1] = -1;
  }
  return files;
}

static struct thread_files *files_of_thread(void) {
  pthread_once(&once, make_key);
  struct thread_files *files = pthread_getspecific(key);
  if (!files) {
    files = open_files();
    pthread_setspecific(key, files);
  }
  return files;
}

static struct kernel *make_memory(size_t pages) {
  struct kernel *kernel = make_zeroed(sizeof *kernel, 64);
  kernel->pages = pages;
  kernel->nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  kernel->memory = mmap(NULL, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (failed(kernel->memory == MAP_FAILED) || failed(kernel->nowhere < 0)) {
    free(kernel);
    return NULL;
  }
  // Small pages, as the subjects beside it have.
  madvise(kernel->memory, pages * PAGE_SIZE, MADV_NOHUGEPAGE);
  for (size_t page = 0; page < pages; page++)
    kernel->memory[page * PAGE_SIZE] = 1;
  return kernel;
}

static void destroy(void *context) {
  struct kernel *kernel = context;
  munmap(kernel->memory, kernel->pages * PAGE_SIZE);
  close(kernel->nowhere);
  free(kernel);
}

static uint64_t leaks(void *context) {
  (void)context;
  return 0;
}

static bool register_range(int ring, char *start) {
  struct iovec range = {.iov_base = start, .iov_len = floor_range * PAGE_SIZE};
  // Without a ring there is nothing to ask for: what refused the ring is the error to report.
  if (ring < 0 || failed(syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS, &range, 1) != 0))
    return false;
  return !failed(syscall(__NR_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0) != 0);
}

static bool splice_range(struct kernel *kernel, const int *pipe, char *start) {
  if (pipe[0] < 0)
    return false;
  for (size_t done = 0; done < floor_range * PAGE_SIZE;) {
    struct iovec range = {.iov_base = start + done, .iov_len = PIPE_PAGES * PAGE_SIZE};
    ssize_t in = vmsplice(pipe[1], &range, 1, 0);
    if (failed(in <= 0))
      return false;
    for (ssize_t rest = in; rest > 0;) {
      ssize_t out = splice(pipe[0], NULL, kernel->nowhere, NULL, (size_t)rest, 0);
      if (failed(out <= 0))
        return false;
      rest -= out;
    }
    done += (size_t)in;
  }
  return true;
}

static char *draw(struct kernel *kernel, struct floor_work *work) {
  uint64_t page = work->first + random_below(&work->state, work->span - floor_range + 1);
  return kernel->memory + page * PAGE_SIZE;
}

static uint64_t io_uring_range_loop(void *context, struct floor_work *work, uint64_t iterations) {
  struct thread_files *files = files_of_thread();
  uint64_t failures = 0;
  for (uint64_t i = 0; i < iterations; i++)
    failures += register_range(files->ring, draw(context, work)) ? 0 : floor_range;
  return failures;
}

static uint64_t vmsplice_range_loop(void *context, struct floor_work *work, uint64_t iterations) {
  struct thread_files *files = files_of_thread();
  uint64_t failures = 0;
  for (uint64_t i = 0; i < iterations; i++)
    failures += splice_range(context, files->pipe, draw(context, work)) ? 0 : floor_range;
  return failures;
}

/// Makes the memory and tries one range. Returns NULL if the kernel refuses.
static void *create_tried(size_t pages, uint64_t (*try)(void *, struct floor_work *, uint64_t)) {
  if (pages < floor_range)
    return NULL;
  struct kernel *kernel = make_memory(pages);
  struct floor_work work = {.first = 0, .span = floor_range, .state = 1};
  if (kernel && try(kernel, &work, 1) != 0) {
    destroy(kernel);
    return NULL;
  }
  return kernel;
}

static void *io_uring_create(size_t pages) { return create_tried(pages, io_uring_range_loop); }

static void *vmsplice_create(size_t pages) { return create_tried(pages, vmsplice_range_loop); }

const struct floor_subject floor_io_uring = {
    .name = "kernel-io_uring",
    .create = io_uring_create,
    .range_loop = io_uring_range_loop,
    .leaks = leaks,
    .destroy = destroy,
};

const struct floor_subject floor_vmsplice = {
    .name = "kernel-vmsplice",
    .create = vmsplice_create,
    .range_loop = vmsplice_range_loop,
    .leaks = leaks,
    .destroy = destroy,
};
