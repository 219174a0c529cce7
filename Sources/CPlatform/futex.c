#define _GNU_SOURCE
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fork_guard.h"
#include "futex.h"

void cp_futex_wait(uint32_t *word, uint32_t expected) {
  // The lock's holder may be a thread that did not come along.
  cp_check_not_forked();
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, (void *)0, (void *)0, 0);
}

void cp_futex_wake(uint32_t *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, (void *)0, (void *)0, 0);
}
