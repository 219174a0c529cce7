// Which atomic locations two threads use at the same time. The others need no scheduling.
#pragma once

#include <algorithm>
#include <bitset>
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
    if (isOutside(address, size)) return {};
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
    for (uintptr_t word = address >> 3; word <= (end - 1) >> 3; word++) words.set(bit(word));
  }
  void clear() {
    regions.clear();
    words.reset();
  }
  /// Addresses and sizes.
  const std::map<uintptr_t, size_t> &all() const { return regions; }

private:
  std::map<uintptr_t, size_t> regions;
  /// A Bloom filter with one hash: the bit of each word of a region is set. Almost all accesses are of other words.
  std::bitset<4096> words;

  static size_t bit(uintptr_t word) { return static_cast<size_t>(word * 0x9e3779b97f4a7c15 >> 52); }
  /// Whether the filter excludes an access. It answers for two words at most, which is what atomic accesses have.
  bool isOutside(uintptr_t address, size_t size) const {
    uintptr_t first = address >> 3, last = (address + size - 1) >> 3;
    return last - first <= 1 && !words[bit(first)] && !words[bit(last)];
  }
};

}  // namespace mm
