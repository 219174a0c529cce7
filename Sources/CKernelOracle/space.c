// Spaces: processes that serve requests on their own memory.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oracle.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

struct mailbox *mailbox;

// Made before the first space, so that every process inherits all of them. A forked child uses its own.
static int asking_end[max_spaces];
static int serving_end[max_spaces];
static pid_t process[max_spaces];
static pid_t driver;

// Each thread returns to its own access.
static __thread sigjmp_buf fault_return;

static void on_fault(int signal) { siglongjmp(fault_return, signal); }

void catch_faults(void) {
  // The handler does not return. The signal is not blocked there, so there is no mask to restore.
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
}

// Copies page by page. Pages before the faulting one are complete, and the faulting one is untouched.
static int64_t copy(unsigned char *to, const unsigned char *from, uint64_t count, uint64_t address) {
  int signal = sigsetjmp(fault_return, 0);
  if (signal != 0) return answered_by_signal(signal);
  for (uint64_t done = 0; done < count;) {
    uint64_t length = page_size - (address + done) % page_size;
    if (length > count - done) length = count - done;
    memcpy(to + done, from + done, length);
    done += length;
  }
  return 0;
}

static void serve(int index) __attribute__((noreturn));

static int64_t fork_space(int child) {
  // The new process is the driver's child, not the space's. The driver alone waits for it, and the space may exit
  // first.
  long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (pid < 0) return -errno;
  if (pid == 0) serve(child);
  return pid;
}

int64_t perform(const struct request *request) {
  const uint64_t *n = request->number;
  void *address = (void *)(uintptr_t)n[0];
  switch (request->operation) {
    case op_map: {
      bool is_secret = (int)n[4] == secret_fd;
      int fd = is_secret ? make_secret(n[1]) : (int)n[4];
      void *at = mmap(address, n[1], (int)n[2], (int)n[3], fd, (off_t)n[5]);
      int error = errno;
      if (is_secret) close(fd);
      if (at == MAP_FAILED) return -error;
      // A kernel without huge pages ignores the wish, and so does the oracle.
      if (n[6]) madvise(at, n[1], MADV_HUGEPAGE);
      return 0;
    }
    case op_unmap:
      return munmap(address, n[1]) == 0 ? 0 : -errno;
    case op_protect:
      return mprotect(address, n[1], (int)n[2]) == 0 ? 0 : -errno;
    case op_advise:
      return madvise(address, n[1], (int)n[2]) == 0 ? 0 : -errno;
    case op_seal:
      return seal(address, n[1]) == 0 ? 0 : -errno;
    case op_remap: {
      int flags = n[4] ? MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP : n[0] == n[2] ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED;
      void *at = mremap(address, n[1], n[3], flags, (void *)(uintptr_t)n[2]);
      return at == MAP_FAILED ? -errno : 0;
    }
    case op_lock:
      return mlock(address, n[1]) == 0 ? 0 : -errno;
    case op_unlock:
      return munlock(address, n[1]) == 0 ? 0 : -errno;
    case op_fork:
      return fork_space((int)n[0]);
    case op_read:
      return copy(request->bytes, address, n[1], n[0]);
    case op_write:
      return copy(address, request->bytes, n[1], n[0]);
    case op_reference:
      return reference_pages((int)n[2], n[0], n[1]);
    case op_pin:
      return pin_pages((int)n[2], n[0], n[1]);
    case op_read_pin:
      return pin_for_reading(n[0], n[1]);
  }
  return -ENOSYS;
}

static void serve(int index) {
  // The kernel kills this process when the driver ends for any reason.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != driver) _exit(1);
  catch_faults();
  char turn;
  while (read(serving_end[index], &turn, 1) == 1) {
    mailbox->result = perform(&mailbox->request);
    if (write(serving_end[index], &turn, 1) != 1) break;
  }
  _exit(1);
}

// One process runs at a time. On one processor they share its lists of pages that are on their way to the kernel's:
// advice about a page that waits in another processor's list has no effect.
static cpu_set_t all_processors;

static void stay_on_one_processor(void) {
  sched_getaffinity(0, sizeof all_processors, &all_processors);
  cpu_set_t one;
  CPU_ZERO(&one);
  int current = sched_getcpu();
  if (current < 0) return;
  CPU_SET(current, &one);
  sched_setaffinity(0, sizeof one, &one);
}

void leave_one_processor(void) { sched_setaffinity(0, sizeof all_processors, &all_processors); }

void make_spaces(void) {
  driver = getpid();
  stay_on_one_processor();
  mailbox = mmap(NULL, sizeof *mailbox, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (mailbox == MAP_FAILED) oracle_die("mmap");
  for (int i = 0; i < max_spaces; i++) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) oracle_die("socketpair");
    asking_end[i] = ends[0];
    serving_end[i] = ends[1];
  }
}

void start_space(int index) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid < 0) oracle_die("fork");
  if (pid == 0) serve(index);
  process[index] = pid;
}

// Every process holds both ends of every socket, so the death of a space closes none. Ask for the process every 100 ms.
static void await_answer(int index) {
  struct pollfd end = {.fd = asking_end[index], .events = POLLIN};
  for (int tenths = 0; tenths < 200; tenths++) {
    int ready = poll(&end, 1, 100);
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) oracle_die("poll");
    if (waitpid(process[index], NULL, WNOHANG) == process[index]) {
      process[index] = 0;
      oracle_die("a space died");
    }
  }
  oracle_die("a space hangs");
}

int64_t ask_space(int index, const struct request *request) {
  mailbox->request = *request;
  char turn = 0;
  if (write(asking_end[index], &turn, 1) != 1) oracle_die("write to a space");
  await_answer(index);
  if (read(asking_end[index], &turn, 1) != 1) oracle_die("read from a space");
  if (request->operation == op_fork && mailbox->result > 0) process[request->number[0]] = (pid_t)mailbox->result;
  return mailbox->result;
}

pid_t space_process(int index) { return process[index]; }

void stop_space(int index) {
  if (process[index] <= 0) return;
  kill(process[index], SIGKILL);
  // After the wait the kernel has freed the memory of the space.
  while (waitpid(process[index], NULL, 0) < 0 && errno == EINTR) {
  }
  process[index] = 0;
}

void stop_all_spaces(void) {
  for (int i = 0; i < max_spaces; i++)
    if (process[i] > 0) kill(process[i], SIGKILL);
  for (int i = 0; i < max_spaces; i++) stop_space(i);
}
