#include "Shadow.hpp"

#include <algorithm>
#include <cstdlib>

namespace mm {

Shadow::Shadow() {
  arenaPages = static_cast<Page **>(calloc(Arena::bytes >> pageShift, sizeof(Page *)));
  if (!arenaPages) abort();
}

Shadow::Page &Shadow::findPage(uintptr_t number) {
  Page *&page = otherPages[number];
  if (!page) page = new Page();
  recent[number % 64] = {number, page};
  return *page;
}

Shadow::Cell &Shadow::cell(Page &page, uintptr_t address) {
  Cell &result = page.cells[(address >> 3) % 512];
  if (result.generation != generation) {
    result.generation = generation;
    result.clear();
  }
  return result;
}

void Shadow::Cell::append(const ShadowAccess &access) {
  if (count > 0) {
    if (!more) more = std::make_unique<std::vector<ShadowAccess>>();
    more->resize(std::max<size_t>(more->size(), count));
  }
  (*this)[count++] = access;
}

static uint8_t mask(uintptr_t word, uintptr_t address, size_t size) {
  uintptr_t from = std::max(word, address), to = std::min(word + 8, address + size);
  return static_cast<uint8_t>(((1u << (to - from)) - 1) << (from - word));
}

Conflict Shadow::note(uintptr_t address, size_t size, ShadowAccess access, const Clock &clock, ShadowAccess &other) {
  Conflict worst = Conflict::none;
  ordered = 0;
  for (uintptr_t word = address & ~uintptr_t{7}; word < address + size; word += 8) {
    Page &page = this->page(word);
    if (access.isFree) page.freedIn = generation;
    Cell &cell = this->cell(page, word);
    access.bytes = mask(word, address, size);
    if (cell.size() == 0) {
      cell.append(access);
      continue;
    }
    bool isCovered = false;
    for (size_t i = 0; i < cell.size();) {
      ShadowAccess &earlier = cell[i];
      if ((earlier.bytes & access.bytes) == 0) {
        i++;
        continue;
      }
      bool isOrdered = clock.last[earlier.thread] >= earlier.epoch || earlier.thread == access.thread;
      if (isOrdered && earlier.thread != access.thread && earlier.isAtomic && access.isAtomic &&
          (earlier.isWrite || access.isWrite))
        ordered = earlier.site;
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
                       (earlier.thread == access.thread && earlier.isSameKind(access) && !earlier.isSequentiallyConsistent));
      if (replaces && cell.size() == 1) {
        earlier = access;
        isCovered = true;
        break;
      }
      if (replaces) {
        cell.remove(i);
        continue;
      }
      // The same bytes, thread and kind again within one epoch: nothing new.
      if (earlier.thread == access.thread && earlier.epoch == access.epoch && earlier.isSameKind(access) &&
          earlier.bytes == access.bytes)
        isCovered = true;
      i++;
    }
    if (!isCovered) cell.append(access);
  }
  return worst;
}

bool Shadow::findFree(uintptr_t address, size_t size, ShadowAccess &other) {
  for (uintptr_t word = address & ~uintptr_t{7}; word < address + size; word += 8) {
    Page &page = this->page(word);
    if (page.freedIn != generation) continue;
    Cell &cell = this->cell(page, word);
    uint8_t bytes = mask(word, address, size);
    for (size_t i = 0; i < cell.size(); i++)
      if (cell[i].isFree && (cell[i].bytes & bytes)) {
        other = cell[i];
        return true;
      }
  }
  return false;
}

uint64_t Shadow::incarnation(uintptr_t address, size_t size) {
  uint64_t result = 0;
  for (uintptr_t word = address & ~uintptr_t{7}; word < address + size; word += 8) {
    uint8_t bytes = mask(word, address, size);
    Cell &cell = this->cell(page(word), word);
    for (size_t i = 0; i < cell.size(); i++)
      if (cell[i].isWrite && !cell[i].isAtomic && (cell[i].bytes & bytes))
        result += (uint64_t{cell[i].thread} + 1) << 32 | cell[i].epoch;
  }
  return result;
}

}  // namespace mm
