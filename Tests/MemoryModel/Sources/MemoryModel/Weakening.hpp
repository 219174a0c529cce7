// A mutation without a new build: the accesses of one source line are made with a weaker order, or not at all.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "Event.hpp"

namespace mm {

enum class Operation : uint8_t {
  load,
  store,
  update,
  fence,
  failure,  // What an update is that does not write.
  section,  // The beginning or the end of a read-side section.
};

/// The source lines of atomic accesses, and the orders that some of them are given instead of their own.
///
/// An inlined function has many call sites, of one line: the innermost. A section's line is the one that asks for it.
class Weakening {
public:
  static Weakening &shared();
  /// Whether there is anything to weaken or to record.
  static bool isActive;
  /// Gives the accesses of `line`, as `PTEPointer.swift:21`, the order named, or none stronger. `PTEPointer.swift:21/load` names the
  /// loads of the line alone. `none` leaves out what they write, and a section. False if there is no such order.
  bool add(const std::string &line, const std::string &order);
  /// Notes from here on what is accessed where.
  void record() { isActive = isRecording = true; }
  /// The order of an access. `site` is the instruction after the call.
  Order order(uintptr_t site, Operation operation, Order order) {
    return wanted.empty() && !isRecording ? order : find(site, operation, order);
  }
  /// Whether what an access writes, or the beginning or end of a section, is left out.
  bool skips(uintptr_t site, Operation operation) {
    if (wanted.empty()) return false;
    find(site, operation, Order::relaxed);
    return known.at(site).isSkipped;
  }
  /// The access at `site` is one that other threads may notice.
  void noteShared(uintptr_t site) {
    if (!isRecording) return;
    if (auto entry = known.find(site); entry != known.end()) entry->second.isShared = true;
  }
  /// An access at `site` and one of another thread meet at a location, and other accesses order the two.
  void noteOrdered(uintptr_t site) {
    if (!isRecording) return;
    if (auto entry = known.find(site); entry != known.end()) entry->second.isOrdered = true;
  }
  /// `line operation order` for each line that was recorded, ascending; then `ordered` if others order what two threads do there,
  /// or `private` if no other thread could notice any.
  std::vector<std::string> sites();

private:
  struct Site {
    std::string line;
    bool isWeakened = false;
    bool isSkipped = false;
    bool isShared = false;
    bool isOrdered = false;
    Order limit = Order::sequentiallyConsistent;
    std::map<std::pair<Operation, Order>, unsigned long> accesses;
  };
  struct Wanted {
    Order limit = Order::relaxed;
    bool isSkipped = false;
  };
  std::map<std::string, Wanted> wanted;
  std::unordered_map<uintptr_t, Site> known;
  bool isRecording = false;
  /// A running `llvm-symbolizer`, to which addresses are written, and from which lines are read.
  FILE *questions = nullptr, *answers = nullptr;
  /// Lines found by earlier runs of the same program, in the file that `MM_LINES` names. Starting the symbolizer takes longer than
  /// exploring a small program.
  std::unordered_map<std::string, std::string> remembered;
  FILE *memory = nullptr;

  Order find(uintptr_t site, Operation operation, Order order);
  std::string line(uintptr_t site, Operation operation);
  std::string askedLine(uintptr_t offset, Operation operation);
  void startSymbolizer();
  void readMemory();
};

}  // namespace mm
