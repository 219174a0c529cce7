// Every consistent execution graph once, without duplicates.
#pragma once

#include <vector>

#include "Strategy.hpp"

namespace mm {

/// Goes on with the newest write everywhere, and keeps the graphs of the other choices for later.
class CompleteSearch : public Strategy {
public:
  CompleteSearch() { clear(); }
  /// Starts over.
  void clear() { pending.assign(1, Graph{}); }
  bool isDone() const { return pending.empty(); }
  Graph next();

  bool addsInOrder() const override { return false; }
  int nextThread(Execution &execution, const std::vector<int> &enabled, int running) override;
  int chooseSource(Execution &execution, const Event &read, int thread, const std::vector<EventId> &sources) override;
  int choosePlace(Execution &execution, EventId write, const std::vector<int> &places) override;

private:
  std::vector<Graph> pending;
};

}  // namespace mm
