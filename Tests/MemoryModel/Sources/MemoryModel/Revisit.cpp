// How a new write reaches reads that were explored before it: the search of "Truly Stateless, Optimal Dynamic Partial Order
// Reduction" (Kokologiannakis, Marmanikas, Gladstein, Vafeiadis, POPL 2022).
//
// A read takes its write from those that exist. When a write joins later, the graph in which the read reads it is cut back to
// what came before the read and what the write depends on. Many graphs are cut back to the same one. Only one of them does
// it: the one in which everything that is cut off had been added in the first of its ways, after the newest write.
#include "Graph.hpp"

namespace mm {

std::vector<EventId> Graph::revisitable(EventId write) const {
  const Event &added = event(write);
  std::vector<EventId> result;
  for (const auto &events : threads)
    for (const Event &event : events)
      if (event.kind == Kind::read && event.location == added.location && !added.causes.covers(event.id))
        result.push_back(event.id);
  return result;
}

bool Graph::wasAddedMaximally(EventId id, EventId write) const {
  const Event &subject = event(id);
  if (!subject.isAccess()) return true;
  const Clock &kept = event(write).causes;
  auto isPrevious = [&](EventId other) {
    if (other.isInitial()) return true;
    if (other == write) return false;
    return event(other).stamp <= subject.stamp || kept.covers(other);
  };
  EventId newest = subject.kind == Kind::read ? subject.source : id;
  if (subject.kind == Kind::write)
    for (const auto &events : threads)
      for (const Event &reader : events)
        if (reader.kind == Kind::read && reader.source == id && isPrevious(reader.id)) return false;
  if (!isPrevious(newest)) return false;
  for (int i = place(newest, subject.location) + 1; i <= lastPlace(subject.location); i++)
    if (isPrevious(writeAt(i, subject.location))) return false;
  return true;
}

bool Graph::revisitsCanonically(EventId read, EventId write) const {
  uint32_t since = event(read).stamp;
  const Clock &kept = event(write).causes;
  for (const auto &events : threads)
    for (const Event &event : events) {
      if (event.id == write || kept.covers(event.id) || event.stamp < since) continue;
      if (!wasAddedMaximally(event.id, write)) return false;
    }
  return true;
}

Graph Graph::revisited(EventId read, EventId write) const {
  uint32_t since = event(read).stamp;
  const Clock &kept = event(write).causes;
  Graph result;
  result.nextStamp = nextStamp;
  for (int thread = 0; thread < maximumThreads; thread++)
    for (const Event &event : threads[thread]) {
      if (event.stamp > since && !kept.covers(event.id)) break;
      result.threads[thread].push_back(event);
    }
  result.locations = locations;
  std::vector<bool> isUsed(locations.size());
  for (const auto &events : result.threads)
    for (const Event &event : events)
      if (event.location >= 0) isUsed[event.location] = true;
  for (size_t i = 0; i < locations.size(); i++) {
    auto isGone = [&](EventId id) { return id == write || id.index > result.size(id.thread); };
    std::erase_if(result.locations[i].writes, isGone);
    std::erase_if(result.locations[i].reads, isGone);
    if (!isUsed[i]) result.locations[i].known = false;
  }
  Event &reader = result.event(read);
  reader.source = write;
  reader.value = event(write).value;
  result.order(reader);
  return result;
}

}  // namespace mm
