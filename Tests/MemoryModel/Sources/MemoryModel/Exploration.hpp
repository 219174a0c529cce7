// All executions of a program, and what they observed.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "Execution.hpp"

namespace mm {

struct Options {
  /// Preemptions in one execution; -1 for no bound, which is the complete search.
  int bound = -1;
  /// The complete search by interleavings: slow, for cross-checks.
  bool interleavings = false;
  bool isRandom = false;
  unsigned long seed = 0;
  unsigned long maximumExecutions = 0;
  /// Of a failure, only what failed.
  bool isBrief = false;
  /// A schedule to run once.
  std::string replay;
};

class Exploration {
public:
  static Exploration &last();
  void run(void (*test)(void *), void *argument, const Options &options);

  /// Executions that ran to their end: different ones, but for random walks.
  unsigned long executions = 0;
  unsigned long blocked = 0, abandoned = 0, duplicates = 0;
  bool isComplete = false;
  /// The most executions that were asked for came before the end of a search.
  bool wasStopped = false;
  /// The failure and the execution that led to it; empty if there was none.
  std::string failure;
  std::string report;
  /// Why a replay was not made; empty if it was.
  std::string refusal;
  /// Names in the order first observed.
  std::vector<std::string> names;
  /// For each outcome, a value for each name (`LONG_MIN`: not observed), and how many executions had it.
  std::map<std::vector<long>, unsigned long> outcomes;

private:
  void (*test)(void *) = nullptr;
  void *argument = nullptr;
  /// Graphs seen so far, where an engine can meet one twice.
  std::set<std::array<uint64_t, 2>> graphs;
  bool countsGraphs = false, isBrief = false;

  void clear();
  /// Runs one execution; false if the exploration is over or must start again.
  bool runOne(Graph start, Strategy &strategy, bool &mustRestart);
  void collect(const Execution &execution);
  void explain();
};

}  // namespace mm
