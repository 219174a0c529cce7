// Which atomic locations two threads use at the same time. The others need no scheduling.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>

namespace mm {

/// A range of bytes that is read and written in one piece.
struct Region {
  uintptr_t address = 0;
  size_t size = 0;
};

/// Learned while exploring: when the shadow sees that a location is shared, the exploration starts again and knows it.
class Visibility {
public:
  /// The shared region that overlaps the access, or one of size 0.
  Region find(uintptr_t address, size_t size) const {
    auto after = regions.lower_bound(address + size);
    if (after == regions.begin()) return {};
    --after;
    return after->first + after->second > address ? Region{after->first, after->second} : Region{};
  }
  /// Makes the bytes part of one shared region, with those regions that they overlap.
  void add(uintptr_t address, size_t size) {
    uintptr_t end = address + size;
    for (Region old = find(address, end - address); old.size > 0; old = find(address, end - address)) {
      address = std::min(address, old.address);
      end = std::max(end, old.address + old.size);
      regions.erase(old.address);
    }
    regions[address] = end - address;
  }
  void clear() { regions.clear(); }
  /// Addresses and sizes.
  const std::map<uintptr_t, size_t> &all() const { return regions; }

private:
  std::map<uintptr_t, size_t> regions;
};

}  // namespace mm
