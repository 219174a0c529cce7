#include "Lockstep.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

namespace mm {

void Gate::open() {
  isOpen.store(1, std::memory_order_release);
  syscall(SYS_futex, &isOpen, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void Gate::pass() {
  while (isOpen.exchange(0, std::memory_order_acquire) == 0)
    syscall(SYS_futex, &isOpen, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
}

void Worker::start() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, size_t{8} << 20);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, run, this) != 0) abort();
  pthread_detach(thread);
  pthread_attr_destroy(&attributes);
}

void *Worker::run(void *argument) {
  auto *worker = static_cast<Worker *>(argument);
  worker->stackEnd = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  for (;;) {
    worker->gate.pass();
    if (_setjmp(worker->base) == 0) worker->body();
  }
}

void stayOnOneCore() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(sched_getcpu(), &set);
  sched_setaffinity(0, sizeof set, &set);
}

}  // namespace mm
