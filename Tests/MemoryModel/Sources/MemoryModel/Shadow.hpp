// The accesses of each byte: for data races, use after free, and locations that two threads share.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "Clock.hpp"

namespace mm {

/// One access, or several of one thread that race with the same accesses.
struct ShadowAccess {
  uint16_t epoch = 0;
  uint8_t thread = 0;
  /// Which bytes of the word.
  uint8_t bytes = 0;
  bool isWrite = false, isAtomic = false, isSequentiallyConsistent = false, isFree = false;
  uintptr_t site = 0;
  uint32_t stack = 0;
};

enum class Conflict : uint8_t {
  none,
  /// Two atomic accesses of different threads, of which one may notice the other.
  shared,
  race,
  useAfterFree,
};

/// For each byte, the accesses that a later one may race with: FastTrack's rules on whole words with a mask.
class Shadow {
public:
  /// Forgets everything, without touching the memory it is kept in.
  void reset() { generation++; }

  /// Notes an access and says what it conflicts with; then `other` is the earlier access.
  Conflict note(uintptr_t address, size_t size, ShadowAccess access, const Clock &clock, ShadowAccess &other);
  /// Names the plain writes that an atomic location was last initialised by. Equal in all executions with that history.
  uint64_t incarnation(uintptr_t address, size_t size);

private:
  struct Cell {
    uint32_t generation = 0;
    std::vector<ShadowAccess> accesses;
  };
  struct Page {
    Cell cells[512];
  };
  uint32_t generation = 1;
  std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages;
  uintptr_t lastPageNumber = ~uintptr_t{0};
  Page *lastPage = nullptr;

  Cell &cell(uintptr_t address);
};

}  // namespace mm
