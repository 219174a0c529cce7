// Decides what an execution leaves open.
#pragma once

#include <vector>

#include "Graph.hpp"

namespace mm {

class Execution;

class Strategy {
public:
  virtual ~Strategy() = default;
  /// Whether every event is added after everything that it may depend on. A thread that waits for a value is then held until
  /// the value is there. Otherwise it reads what there is and stays blocked in this execution.
  virtual bool addsInOrder() const = 0;
  /// The thread to go on even if it is not enabled, or -1. For replays.
  virtual int forcedThread(Execution &) { return -1; }
  /// One of `enabled`, ascending; -1 abandons the execution. `running` can go on if it is among them.
  virtual int nextThread(Execution &execution, const std::vector<int> &enabled, int running) = 0;
  /// Which of `sources`, oldest first, the next event of `thread` reads; -1 abandons the execution.
  virtual int chooseSource(Execution &execution, const Event &read, int thread, const std::vector<EventId> &sources) = 0;
  /// Which of `places`, ascending, the last event of its thread takes; -1 abandons the execution. There may be none.
  virtual int choosePlace(Execution &execution, EventId write, const std::vector<int> &places) = 0;
};

}  // namespace mm
