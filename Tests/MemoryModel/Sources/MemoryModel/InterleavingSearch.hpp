// Every order of events with at most so many preemptions, and in each every choice of writes and places.
#pragma once

#include <array>
#include <climits>
#include <set>
#include <vector>

#include "Strategy.hpp"

namespace mm {

/// Depth-first over the choices of an execution. A state that was seen with as many preemptions left is not explored again:
/// a graph determines what each thread does next.
///
/// Without a bound it sees what `CompleteSearch` sees, by another way, and slowly: a cross-check.
class InterleavingSearch : public Strategy {
public:
  explicit InterleavingSearch(unsigned bound) : bound(bound) {}
  void clear();
  /// Prepares the next execution; false if there is none.
  bool advance();

  bool addsInOrder() const override { return true; }
  int nextThread(Execution &execution, const std::vector<int> &enabled, int running) override;
  int chooseSource(Execution &execution, const Event &read, int thread, const std::vector<EventId> &sources) override;
  int choosePlace(Execution &execution, EventId write, const std::vector<int> &places) override;

private:
  struct Choice {
    int taken, count;
  };
  unsigned bound;
  unsigned preemptions = 0;
  std::vector<Choice> choices;
  size_t depth = 0;
  bool isFirst = true;
  std::set<std::array<uint64_t, 3>> seen;

  int choose(int count);
};

}  // namespace mm
