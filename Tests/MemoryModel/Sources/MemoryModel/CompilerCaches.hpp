// Variables that the Swift compiler adds for itself: looked-up metadata and witness tables, kept for the next use.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace mm {

/// Threads race to fill such a variable, all with the same value, which the Swift runtime keeps for ever. The program's behaviour does
/// not depend on when, so accesses of them are not modelled, and they stay filled.
class CompilerCaches {
public:
  /// Finds them by their symbols' names in the program's file.
  void find();
  bool contains(uintptr_t address) const {
    return !ranges.empty() && address >= ranges.front().first && address < ranges.back().second && search(address);
  }

private:
  /// Beginnings and ends, ascending.
  std::vector<std::pair<uintptr_t, uintptr_t>> ranges;
  bool search(uintptr_t address) const;
};

}  // namespace mm
