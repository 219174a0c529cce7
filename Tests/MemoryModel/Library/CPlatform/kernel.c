// In place of the kernel's part in signals and mappings. The objects' calls of the C library come here.
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "checked.h"
#include "futex.h"
#include "kernel_ring.h"

enum { page_bytes = 4096 };

static struct sigaction of_bus_errors;

int mm_sigaction(int signal, const struct sigaction *action, struct sigaction *old) {
  if (signal != SIGBUS) return -1;
  if (old) *old = of_bus_errors;
  if (action) of_bus_errors = *action;
  return 0;
}

void mm_lose_page(void *address) {
  siginfo_t info = {.si_signo = SIGBUS, .si_code = BUS_ADRERR, .si_addr = address};
  of_bus_errors.sa_sigaction(SIGBUS, &info, NULL);
}

// A mapping of zeroes takes the place of pages. A reader that faults later takes the lock that the kernel holds here.
// The first word stands for its page.
static long replace(uintptr_t start, size_t bytes) {
  // A spare, which is never touched.
  if (!start) return page_bytes;
  for (size_t offset = 0; offset < bytes; offset += page_bytes)
    __atomic_store_n((uint64_t *)(start + offset), 0, __ATOMIC_RELEASE);
  return (long)start;
}

long mm_syscall(long number, ...) {
  va_list arguments;
  va_start(arguments, number);
  uintptr_t first = va_arg(arguments, uintptr_t), second = va_arg(arguments, uintptr_t);
  va_end(arguments);
  switch (number) {
    case SYS_mmap: return replace(first, second);
    case SYS_io_uring_setup: return mm_ring_setup((struct io_uring_params *)second);
    case SYS_io_uring_enter: return mm_ring_enter((unsigned)second);
    default: return 0;
  }
}
