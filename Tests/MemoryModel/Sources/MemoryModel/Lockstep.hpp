// Threads of the program under test: real threads, of which one runs at a time, all on one core.
#pragma once

#include <pthread.h>
#include <setjmp.h>

#include <atomic>
#include <cstdint>
#include <functional>

namespace mm {

/// A place to wait at until another thread says go.
class Gate {
public:
  void open();
  void pass();

private:
  std::atomic<uint32_t> isOpen{0};
};

/// A real thread. It lives as long as the process, so that its stack and thread-local variables keep their addresses.
class Worker {
public:
  Worker(int index, std::function<void()> body) : index(index), body(std::move(body)) {}
  void start();
  /// Called on the worker's own thread by its body: abandons the body.
  [[noreturn]] void abandon() { longjmp(base, 1); }
  /// The end of the part of the stack that the program under test uses.
  uintptr_t stackBase() const { return stackEnd; }

  const int index;
  /// Opened to let the worker go on.
  Gate gate;

private:
  std::function<void()> body;
  jmp_buf base;
  uintptr_t stackEnd = 0;
  static void *run(void *worker);
};

/// Keeps this process, and the threads it starts later, on the core it is on.
void stayOnOneCore();

}  // namespace mm
