// Recognises a thread that does the same thing again.
//
// A loop that waits for another thread's store has endless executions. They differ only in how often it looked in vain, so one
// turn is enough: it reads each of the stores that it may read, and if it would begin again as it began, the thread stops there.
// "As it began" is the machine's word: the same instruction, registers, stack and contents of what it wrote for itself meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mm {

class SpinHistory {
public:
  /// Forgets the past: the thread did something that its later behaviour, or another thread's, can depend on.
  void clear() {
    looks.clear();
    written.clear();
  }
  /// Notes a write that no other thread can see before this one does something more. A turn that leaves the old contents changed nothing.
  void wrote(uintptr_t address, size_t size);
  /// Notes that the thread is about to read `address`, after `events` events. Returns how many it had made when it last was in
  /// this state, or -1.
  int look(uintptr_t site, uintptr_t address, int events, uintptr_t stackBase);

private:
  struct Look {
    uintptr_t site, address;
    int events;
    uint64_t state;
  };
  std::vector<Look> looks;
  /// Addresses and sizes.
  std::vector<std::pair<uintptr_t, size_t>> written;
};

}  // namespace mm
