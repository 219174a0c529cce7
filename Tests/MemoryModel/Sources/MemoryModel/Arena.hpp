// Memory for the program under test. Nothing is used again within an execution, and addresses are the same in all of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mm {

/// An allocator for each thread. A freed block stays as it is, so that the shadow notices a later access to it.
class Arena {
public:
  /// Starts over: every address is free again.
  void reset();
  void *allocate(int thread, size_t size, size_t alignment);
  /// The size of a living block that begins at `block`, or -1.
  ptrdiff_t size(const void *block) const;
  /// Marks a block as freed. False if it was freed before.
  bool release(void *block);

  static bool contains(const void *address) {
    auto at = reinterpret_cast<uintptr_t>(address);
    return at >= base && at < base + bytesPerThread * threads;
  }

private:
  static constexpr uintptr_t base = 0x610000000000;
  static constexpr uintptr_t bytesPerThread = uintptr_t{1} << 28;
  static constexpr int threads = 16;
  struct Header {
    uint64_t magic;
    uint64_t size;
  };
  uintptr_t next[threads] = {};
  bool isMapped = false;
};

}  // namespace mm
