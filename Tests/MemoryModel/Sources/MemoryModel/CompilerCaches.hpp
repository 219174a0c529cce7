// Variables that the Swift compiler adds for itself: looked-up metadata and witness tables, kept for the next use. And the storage that
// all empty arrays share.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace mm {

/// Threads race to fill such a variable, all with the same value, which the Swift runtime keeps for ever. The program's behaviour does
/// not depend on when, so accesses of them are not modelled, and they stay filled.
///
/// The empty arrays' storage is a constant of the Swift runtime. The standard library's own code, inlined into the program, stores the
/// count 0 there that is there already (`Array(unsafeUninitializedCapacity: 0)`), and beside a read that is no race of the program.
class CompilerCaches {
public:
  /// Finds them by their symbols' names in the program's file.
  void find();
  bool contains(uintptr_t address) const {
    if (address - emptyArray < emptyArraySize) return true;
    return address - begin < size && search(address);
  }

private:
  /// Beginnings and ends, ascending.
  std::vector<std::pair<uintptr_t, uintptr_t>> ranges;
  /// What they lie in.
  uintptr_t begin = 0, size = 0;
  /// An object's two words, the count and the capacity; no address where the program is not Swift's.
  uintptr_t emptyArray = ~uintptr_t{0};
  static constexpr uintptr_t emptyArraySize = 32;
  bool search(uintptr_t address) const;
};

}  // namespace mm
