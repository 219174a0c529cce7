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
  /// Zeroed memory for large tables, in pages. What the program writes there is put back after the execution instead of cleared.
  void *reserve(size_t size);
  static uintptr_t reservedBegin() { return base + bytesPerThread * (threads - 1); }
  static uintptr_t reservedEnd() { return reservedBegin() + (uintptr_t{32} << 20); }
  /// The size of a living block that begins at `block`, or -1.
  ptrdiff_t size(const void *block) const;
  /// Marks a block as freed. False if it was freed before.
  bool release(void *block);

  static bool contains(const void *address) {
    auto at = reinterpret_cast<uintptr_t>(address);
    return at - base < bytes;
  }

private:
  static constexpr uintptr_t bytesPerThread = uintptr_t{1} << 28;
  /// The last of them is for what is reserved.
  static constexpr int threads = 17;

public:
  static constexpr uintptr_t base = 0x610000000000, bytes = bytesPerThread * threads;

private:
  struct Header {
    uint64_t magic;
    uint64_t size;
  };
  uintptr_t next[threads] = {};
  bool isMapped = false;
};

}  // namespace mm
