#include "Exploration.hpp"

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "CompleteSearch.hpp"
#include "InterleavingSearch.hpp"
#include "RandomWalk.hpp"
#include "Report.hpp"
#include "Schedule.hpp"

namespace mm {

Exploration &Exploration::last() {
  static auto *exploration = new Exploration;
  return *exploration;
}

void Exploration::clear() {
  executions = blocked = abandoned = duplicates = 0;
  isComplete = wasStopped = false;
  failure.clear();
  report.clear();
  refusal.clear();
  names.clear();
  outcomes.clear();
  graphs.clear();
}

void Exploration::collect(const Execution &execution) {
  for (const auto &[name, value] : execution.observations)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  std::vector<long> values;
  for (const std::string &name : names) {
    values.push_back(LONG_MIN);
    for (const auto &[observed, value] : execution.observations)
      if (observed == name) values.back() = value;
  }
  // Names that an execution did not observe have no value, whether or not they were known at the time.
  while (!values.empty() && values.back() == LONG_MIN) values.pop_back();
  outcomes[values]++;
}

bool Exploration::runOne(Graph start, Strategy &strategy, bool &mustRestart) {
  Execution &execution = Execution::shared();
  switch (execution.run(test, argument, std::move(start), strategy, false)) {
  case Ending::finished:
    collect(execution);
    if (countsGraphs && !graphs.insert(execution.graph.fingerprint()).second)
      duplicates++;
    else
      executions++;
    return true;
  case Ending::blocked: blocked++; return true;
  case Ending::abandoned: abandoned++; return true;
  case Ending::learned: mustRestart = true; return false;
  case Ending::failed: explain(); return false;
  }
  return false;
}

/// Makes the failing execution again, now with the stack of each event.
void Exploration::explain() {
  Execution &execution = Execution::shared();
  std::string first = execution.failure.what;
  if (isBrief) {
    failure = first;
    report = "failure: " + failure + "\nevents: " + std::to_string(execution.steps.size()) + "\n";
    return;
  }
  std::string line = schedule(execution);
  // Without stacks.
  std::string seen = mm::report(execution);
  ScheduledReplay replay(execution.steps);
  Ending again = execution.run(test, argument, Graph{}, replay, true);
  failure = first;
  report = again == Ending::failed && execution.failure.what == first
               ? mm::report(execution)
               : "the failure did not come again when the execution was repeated\n" + seen;
  report += "schedule: " + line + "\n";
}

void Exploration::run(void (*body)(void *), void *bodyArgument, const Options &options) {
  test = body;
  argument = bodyArgument;
  isBrief = options.isBrief;
  auto reachedLimit = [&](unsigned long limit) {
    wasStopped = limit > 0 && executions + blocked >= limit;
    return wasStopped;
  };
  static bool isPinned = false;
  if (!isPinned) stayOnOneCore();
  isPinned = true;
  Execution::shared().visibility.clear();
  countsGraphs = options.interleavings || options.bound >= 0 || getenv("MM_COUNT_DUPLICATES") != nullptr;
  readNames(options.replay, Execution::shared());

  constexpr int maximumRestarts = 2000;
  int restarts = 0;
  for (bool mustRestart = true; mustRestart;) {
    mustRestart = false;
    clear();
    if (restarts++ == maximumRestarts) {
      failure = "no end of shared locations: their addresses differ between executions";
      report = "failure: " + failure + "\n";
      return;
    }
    if (!options.replay.empty()) {
      ScheduledReplay replay(options.replay);
      refusal = namesAnotherProgram(options.replay);
      if (!refusal.empty()) return;
      runOne({}, replay, mustRestart);
      // All shared locations are in the schedule. Another one is another program's.
      bool hasFollowed = !mustRestart && abandoned == 0 && replay.hasFollowed(Execution::shared());
      mustRestart = false;
      if (!hasFollowed) {
        clear();
        refusal = "the schedule does not fit the program: is it another one's, or of another build or other options?";
      }
    } else if (options.isRandom) {
      RandomWalk walk(options.seed);
      unsigned long limit = options.maximumExecutions ? options.maximumExecutions : 10000;
      for (unsigned long i = 0; i < limit; i++) {
        walk.begin(i);
        if (!runOne({}, walk, mustRestart)) break;
      }
    } else if (options.bound >= 0 || options.interleavings) {
      InterleavingSearch search(options.bound >= 0 ? static_cast<unsigned>(options.bound) : UINT_MAX);
      isComplete = options.bound < 0;
      while (search.advance())
        if (reachedLimit(options.maximumExecutions) || !runOne({}, search, mustRestart)) {
          isComplete = false;
          break;
        }
    } else {
      CompleteSearch search;
      isComplete = true;
      while (!search.isDone())
        if (reachedLimit(options.maximumExecutions) || !runOne(search.next(), search, mustRestart)) {
          isComplete = false;
          break;
        }
    }
  }
}

}  // namespace mm
