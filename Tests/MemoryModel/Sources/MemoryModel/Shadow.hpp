// The accesses of each byte: for data races, use after free, and locations that two threads share.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "Arena.hpp"
#include "Clock.hpp"

namespace mm {

/// One access, or several of one thread that race with the same accesses.
struct ShadowAccess {
  uintptr_t site = 0;
  uint32_t stack = 0;
  uint16_t epoch = 0;
  /// Which bytes of the word.
  uint8_t bytes = 0;
  uint8_t thread : 4 = 0;
  bool isWrite : 1 = false, isAtomic : 1 = false, isSequentiallyConsistent : 1 = false, isFree : 1 = false;

  bool isSameKind(const ShadowAccess &other) const { return isAtomic == other.isAtomic && isWrite == other.isWrite; }
};
static_assert(sizeof(ShadowAccess) == 16 && maximumThreads <= 16);

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
  Shadow();
  /// Forgets everything, without touching the memory it is kept in.
  void reset() { generation++; }

  /// Notes an access and says what it conflicts with; then `other` is the earlier access.
  Conflict note(uintptr_t address, size_t size, ShadowAccess access, const Clock &clock, ShadowAccess &other);
  /// Where another thread made an atomic access that the last one noted is ordered after, one of the two a write; else 0.
  uintptr_t orderedBefore() const { return ordered; }
  /// Whether an access that all others are ordered before is one of freed memory; then `other` is the free. Notes nothing.
  bool isFreed(uintptr_t address, size_t size, ShadowAccess &other) {
    return address - Arena::base < Arena::bytes && findFree(address, size, other);
  }
  /// Whether nothing was freed in the page of a word: what `isFreed` says at once of most.
  bool isInWholePage(uintptr_t address) const {
    uintptr_t inArena = (address - Arena::base) >> pageShift;
    if (inArena >= Arena::bytes >> pageShift) return true;
    return ((address + 7) >> pageShift) == (address >> pageShift) && (!arenaPages[inArena] || arenaPages[inArena]->freedIn != generation);
  }
  /// Names the plain writes that an atomic location was last initialised by. Equal in all executions with that history.
  uint64_t incarnation(uintptr_t address, size_t size);

private:
  /// The accesses of a word: one in place, since most words have no more.
  class alignas(32) Cell {
  public:
    uint32_t generation = 0;

    size_t size() const { return count; }
    ShadowAccess &operator[](size_t i) { return i == 0 ? first : (*more)[i - 1]; }
    void clear() { count = 0; }
    void append(const ShadowAccess &access);
    /// Removes an access. The last takes its place.
    void remove(size_t i) { (*this)[i] = (*this)[--count]; }

  private:
    uint32_t count = 0;
    std::unique_ptr<std::vector<ShadowAccess>> more;
    ShadowAccess first;
  };
  struct Page {
    /// The last generation in which memory of the page was freed.
    uint32_t freedIn = 0;
    Cell cells[512];
  };
  uint32_t generation = 1;
  uintptr_t ordered = 0;
  /// By page number. The arena's pages have a table, in which those that no program touched take no memory.
  Page **arenaPages;
  std::unordered_map<uintptr_t, Page *> otherPages;
  /// Other pages, each in the one place that its number gives it.
  struct {
    uintptr_t number = ~uintptr_t{0};
    Page *page = nullptr;
  } recent[64];

  static constexpr uintptr_t pageShift = 12;
  Page &page(uintptr_t address) {
    uintptr_t inArena = (address - Arena::base) >> pageShift, number = address >> pageShift;
    if (inArena < Arena::bytes >> pageShift) return arenaPages[inArena] ? *arenaPages[inArena] : *(arenaPages[inArena] = new Page());
    auto &entry = recent[number % 64];
    return entry.number == number ? *entry.page : findPage(number);
  }
  Page &findPage(uintptr_t number);
  Cell &cell(Page &page, uintptr_t address);
  bool findFree(uintptr_t address, size_t size, ShadowAccess &other);
};

}  // namespace mm
