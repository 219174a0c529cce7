// Executions by chance, from a seed.
#pragma once

#include <cstdint>

#include "Clock.hpp"
#include "Strategy.hpp"

namespace mm {

/// Of three executions one takes a random thread at each step. One follows random priorities that change at a few random steps: PCT,
/// which finds a bug that needs few ordered steps with a known probability. In one a thread goes on for some steps, as many on average
/// as is drawn for the execution. Reads and places are drawn. A step is one at which several threads can go on.
class RandomWalk : public Strategy {
public:
  explicit RandomWalk(uint64_t seed) : seed(seed) {}
  void begin(uint64_t execution);

  bool addsInOrder() const override { return true; }
  int nextThread(Execution &execution, const std::vector<int> &enabled, int running) override;
  int chooseSource(Execution &execution, const Event &read, int thread, const std::vector<EventId> &sources) override;
  int choosePlace(Execution &execution, EventId write, const std::vector<int> &places) override;

private:
  uint64_t seed, state = 0;
  enum class Way : uint8_t { steps, priorities, bursts };
  Way way = Way::steps;
  /// How many steps a thread goes on in a burst, on average.
  uint64_t burst = 2;
  uint64_t priorities[maximumThreads] = {};
  /// The longest execution so far, from which the steps that change priorities are drawn.
  uint64_t length = 20;
  uint64_t step = 0;
  uint64_t changes[3] = {};

  uint64_t draw();
  int draw(size_t count) { return static_cast<int>(draw() % count); }
};

}  // namespace mm
