#include "InterleavingSearch.hpp"

#include <algorithm>

#include "Execution.hpp"

namespace mm {

void InterleavingSearch::clear() {
  choices.clear();
  seen.clear();
  isFirst = true;
}

bool InterleavingSearch::advance() {
  depth = 0;
  preemptions = 0;
  if (isFirst) {
    isFirst = false;
    return true;
  }
  while (!choices.empty() && choices.back().taken + 1 == choices.back().count) choices.pop_back();
  if (choices.empty()) return false;
  choices.back().taken++;
  return true;
}

int InterleavingSearch::choose(int count) {
  if (depth == choices.size()) choices.push_back({0, count});
  return choices[depth++].taken;
}

/// Whether a thread's next event commutes with all events of other threads.
static bool isLocal(const ModelThread &thread) {
  Kind kind = thread.request.kind;
  return kind == Kind::begin || kind == Kind::end || kind == Kind::spawn || kind == Kind::join;
}

int InterleavingSearch::nextThread(Execution &execution, const std::vector<int> &enabled, int running) {
  for (int number : enabled)
    if (isLocal(execution.thread(number))) return number;
  bool canRun = std::find(enabled.begin(), enabled.end(), running) != enabled.end();
  if (depth == choices.size()) {
    auto state = execution.graph.fingerprint();
    uint64_t situation = static_cast<uint64_t>(running + 1) << 32 | preemptions;
    if (!seen.insert({state[0], state[1], situation}).second) return -1;
  }
  if (canRun && preemptions >= bound) return running;
  // The running thread first, then the others in turn.
  std::vector<int> order;
  if (canRun) order.push_back(running);
  for (int number : enabled)
    if (number != running) order.push_back(number);
  int next = order[choose(static_cast<int>(order.size()))];
  if (canRun && next != running) preemptions++;
  return next;
}

int InterleavingSearch::chooseSource(Execution &, const Event &, int, const std::vector<EventId> &sources) {
  return static_cast<int>(sources.size()) - 1 - choose(static_cast<int>(sources.size()));
}

int InterleavingSearch::choosePlace(Execution &execution, EventId write, const std::vector<int> &places) {
  if (places.empty()) return -1;
  int place = static_cast<int>(places.size()) - 1 - choose(static_cast<int>(places.size()));
  if (places[place] == execution.graph.lastPlace(execution.graph.event(write).location)) return place;
  return execution.graph.staysSequentiallyConsistent(write, places[place]) ? place : -1;
}

}  // namespace mm
