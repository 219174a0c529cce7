// The program's static and thread-local variables, which every execution finds as the first one did.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "Arena.hpp"

namespace mm {

/// Notes the old bytes of static data before the program writes them, and puts them back after the execution.
///
/// What uninstrumented code writes is not put back. That is meant: the Swift runtime's caches outlive an execution.
class StaticData {
public:
  /// Finds the program's writable segments.
  void find();
  /// Adds memory that is restored as static data is.
  void add(uintptr_t begin, uintptr_t end);
  /// Adds the calling thread's block of thread-local variables.
  void addThreadLocals();
  void willWrite(uintptr_t address, size_t size) {
    if (address - Arena::base < Arena::reservedBegin() - Arena::base) return;
    for (Segment &segment : segments)
      if (address < segment.end && address + size > segment.begin) save(segment, address, size);
  }
  void restore();

private:
  struct Segment {
    uintptr_t begin, end;
    /// For each word, the execution that saved it.
    std::vector<uint32_t> savedIn;
  };
  struct Word {
    uintptr_t address;
    uint64_t bytes;
  };
  std::vector<Segment> segments;
  std::vector<Word> saved;
  uint32_t execution = 1;

  void save(Segment &segment, uintptr_t address, size_t size);
};

}  // namespace mm
