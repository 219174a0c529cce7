#include "Shadow.hpp"

namespace mm {

Shadow::Cell &Shadow::cell(uintptr_t address) {
  uintptr_t number = address >> 12;
  if (number != lastPageNumber) {
    auto &page = pages[number];
    if (!page) page = std::make_unique<Page>();
    lastPage = page.get();
    lastPageNumber = number;
  }
  Cell &result = lastPage->cells[(address >> 3) & 511];
  if (result.generation != generation) {
    result.generation = generation;
    result.accesses.clear();
  }
  return result;
}

static uint8_t mask(uintptr_t word, uintptr_t address, size_t size) {
  uintptr_t from = std::max(word, address), to = std::min(word + 8, address + size);
  return static_cast<uint8_t>(((1u << (to - from)) - 1) << (from - word));
}

Conflict Shadow::note(uintptr_t address, size_t size, ShadowAccess access, const Clock &clock, ShadowAccess &other) {
  Conflict worst = Conflict::none;
  for (uintptr_t word = address & ~uintptr_t{7}; word < address + size; word += 8) {
    Cell &cell = this->cell(word);
    access.bytes = mask(word, address, size);
    bool isCovered = false;
    for (size_t i = 0; i < cell.accesses.size();) {
      ShadowAccess &earlier = cell.accesses[i];
      if ((earlier.bytes & access.bytes) == 0) {
        i++;
        continue;
      }
      bool isOrdered = clock.last[earlier.thread] >= earlier.epoch || earlier.thread == access.thread;
      Conflict found = Conflict::none;
      if (earlier.isFree)
        found = Conflict::useAfterFree;
      else if (!isOrdered && (earlier.isWrite || access.isWrite))
        found = earlier.isAtomic && access.isAtomic ? Conflict::shared : Conflict::race;
      else if (isOrdered && earlier.thread != access.thread && earlier.isAtomic && access.isAtomic &&
               earlier.isSequentiallyConsistent && access.isSequentiallyConsistent)
        found = Conflict::shared;
      if (found > worst) {
        worst = found;
        other = earlier;
      }
      // A plain write conflicts with everything, so it stands for what it is ordered after.
      bool replaces = isOrdered && !earlier.isFree && (earlier.bytes & ~access.bytes) == 0 &&
                      ((access.isWrite && !access.isAtomic) ||
                       (earlier.thread == access.thread && earlier.isAtomic == access.isAtomic &&
                        earlier.isWrite == access.isWrite && !earlier.isSequentiallyConsistent));
      if (replaces) {
        cell.accesses[i] = cell.accesses.back();
        cell.accesses.pop_back();
        continue;
      }
      // The same bytes, thread and kind again within one epoch: nothing new.
      if (earlier.thread == access.thread && earlier.epoch == access.epoch && earlier.isAtomic == access.isAtomic &&
          earlier.isWrite == access.isWrite && earlier.bytes == access.bytes)
        isCovered = true;
      i++;
    }
    if (!isCovered) cell.accesses.push_back(access);
  }
  return worst;
}

uint64_t Shadow::incarnation(uintptr_t address, size_t size) {
  uint64_t result = 0;
  for (uintptr_t word = address & ~uintptr_t{7}; word < address + size; word += 8) {
    uint8_t bytes = mask(word, address, size);
    for (const ShadowAccess &access : cell(word).accesses)
      if (access.isWrite && !access.isAtomic && (access.bytes & bytes))
        result += (uint64_t{access.thread} + 1) << 32 | access.epoch;
  }
  return result;
}

}  // namespace mm
