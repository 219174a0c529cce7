// What coherence and atomicity leave to the next event of a thread.
//
// The next event has no successors, so only two of RC11's conditions can exclude a choice: a thread that knows of a write cannot
// read, or write, before it in modification order; and no write comes between the two halves of a read-modify-write.
#include "Graph.hpp"

namespace mm {

/// The place of the newest write of `location` that `before` includes, or that a read in `before` has read.
int Graph::earliestPlace(const Clock &before, int location, EventId except) const {
  const auto &writes = locations[location].writes;
  int earliest = 0;
  for (int i = static_cast<int>(writes.size()); i > 0; i--)
    if (before.covers(writes[i - 1])) {
      earliest = i;
      break;
    }
  for (EventId read : locations[location].reads)
    if (before.covers(read) && read != except) earliest = std::max(earliest, place(event(read).source, location));
  return earliest;
}

std::vector<EventId> Graph::sources(int thread, int location, bool sectionBegin) const {
  int earliest = earliestPlace(clock(thread), location, {});
  // A section that joins the graph after a grace period's end cannot have begun before its start.
  if (sectionBegin)
    for (const auto &events : threads) {
      int start = 0;
      for (const Event &event : events) {
        if (event.kind == Kind::write && event.location == location) start = place(event.id, location);
        if (event.kind == Kind::gracePeriod) earliest = std::max(earliest, start);
      }
    }
  std::vector<EventId> result;
  for (int i = earliest; i <= lastPlace(location); i++) result.push_back(writeAt(i, location));
  return result;
}

std::vector<int> Graph::places(EventId id) const {
  const Event &write = event(id);
  const auto &writes = locations[write.location].writes;
  auto splits = [&](int at) { return at < static_cast<int>(writes.size()) && event(writes[at]).exclusive; };
  std::vector<int> result;
  if (write.exclusive) {
    EventId read{id.thread, static_cast<uint16_t>(id.index - 1)};
    int at = place(event(read).source, write.location);
    if (!splits(at)) result.push_back(at);
    return result;
  }
  for (int at = earliestPlace(write.happensBefore, write.location, {}); at <= static_cast<int>(writes.size()); at++)
    if (!splits(at)) result.push_back(at);
  return result;
}

bool Graph::readsCoherently(EventId id) const {
  const Event &read = event(id);
  int at = place(read.source, read.location);
  if (read.sectionBegin)
    for (const auto &events : threads) {
      int start = 0;
      for (const Event &event : events) {
        if (event.kind == Kind::write && event.location == read.location) start = place(event.id, read.location);
        if (event.kind == Kind::gracePeriod && at < start) return false;
      }
    }
  return earliestPlace(read.happensBefore, read.location, id) <= at;
}

}  // namespace mm
