#include "CompleteSearch.hpp"

#include <algorithm>

#include "Execution.hpp"

namespace mm {

Graph CompleteSearch::next() {
  Graph graph = std::move(pending.back());
  pending.pop_back();
  return graph;
}

/// The first thread that can go on. A grace period ends last: until then, sections may begin that it must wait for.
///
/// Of several grace periods the one that started first ends first. The others may have to wait for a section after it.
int CompleteSearch::nextThread(Execution &execution, const std::vector<int> &enabled, int) {
  for (int number : enabled)
    if (execution.thread(number).turn != Turn::gracePeriod) return number;
  const Graph &graph = execution.graph;
  return *std::min_element(enabled.begin(), enabled.end(), [&](int a, int b) {
    return graph.gracePeriodStart(a) < graph.gracePeriodStart(b);
  });
}

int CompleteSearch::chooseSource(Execution &execution, const Event &read, int thread,
                                 const std::vector<EventId> &sources) {
  const Graph &graph = execution.graph;
  for (size_t i = 0; i + 1 < sources.size(); i++) {
    Event candidate = read;
    candidate.source = sources[i];
    candidate.value = graph.value(sources[i], read.location);
    if (candidate.awaitsWrite()) {
      // Two updates of one write: only if the other can still be made to follow this one.
      EventId other = graph.exclusiveReader(sources[i], read.location);
      if (!other.isInitial() && graph.size(thread) > 0 && graph.events(thread).back().causes.covers(other)) continue;
    }
    if (!graph.staysSequentiallyConsistent(candidate, thread)) continue;
    pending.push_back(graph);
    pending.back().add(candidate, thread);
  }
  return static_cast<int>(sources.size()) - 1;
}

int CompleteSearch::choosePlace(Execution &execution, EventId write, const std::vector<int> &places) {
  Graph &graph = execution.graph;
  for (size_t i = 0; i + 1 < places.size(); i++) {
    if (!graph.staysSequentiallyConsistent(write, places[i])) continue;
    pending.push_back(graph);
    pending.back().put(write, places[i]);
  }
  for (EventId read : graph.revisitable(write)) {
    if (!graph.revisitsCanonically(read, write)) continue;
    Graph cut = graph.revisited(read, write);
    for (int place : cut.places(write)) {
      cut.put(write, place);
      if (cut.readsCoherently(read) && cut.isSequentiallyConsistent()) pending.push_back(cut);
      cut.takeOut(write, place);
    }
  }
  if (places.empty()) return -1;
  // The newest place is always consistent, unless the write must follow another one directly.
  if (places.size() == 1 && places[0] != graph.lastPlace(graph.event(write).location) &&
      !graph.staysSequentiallyConsistent(write, places[0]))
    return -1;
  return static_cast<int>(places.size()) - 1;
}

}  // namespace mm
