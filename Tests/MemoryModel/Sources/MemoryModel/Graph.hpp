// An execution as RC11 sees it: events of threads, which write each read reads, and the order of the writes of each location.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "Event.hpp"

namespace mm {

/// Locations of the program, and those that stand for what the runtime models.
enum class Space : uint8_t { memory, lock, waiters, rcu };

/// A location's name, equal in all executions. `incarnation` tells the lives of reused memory apart.
struct LocationName {
  uintptr_t address = 0;
  uint64_t incarnation = 0;
  Space space = Space::memory;
  uint8_t size = 0;

  bool operator==(const LocationName &) const = default;
};

struct Location {
  LocationName name;
  /// Whether `initial` was read from memory.
  bool known = false;
  Value initial = 0;
  /// The writes in modification order, without the initialisation.
  std::vector<EventId> writes;
  /// The reads, each after the earlier ones of its thread.
  std::vector<EventId> reads;
};

class Graph {
public:
  std::vector<Location> locations;

  int size(int thread) const { return static_cast<int>(threads[thread].size()); }
  const Event &event(EventId id) const { return threads[id.thread][id.index - 1]; }
  Event &event(EventId id) { return threads[id.thread][id.index - 1]; }
  const std::vector<Event> &events(int thread) const { return threads[thread]; }
  /// What happens before the next event of a thread.
  const Clock &clock(int thread) const;

  int locate(const LocationName &name);
  /// The value that a write, or the initialisation of `location`, gave it.
  Value value(EventId write, int location) const;
  /// A write's place in modification order; 0 is the initialisation.
  int place(EventId write, int location) const;
  EventId writeAt(int place, int location) const;
  int lastPlace(int location) const { return static_cast<int>(locations[location].writes.size()); }

  /// Adds an event at the end of its thread. A write is not yet in modification order: see `put`.
  EventId add(Event event, int thread);
  /// The writes that the next event of `thread` may read, oldest first.
  std::vector<EventId> sources(int thread, int location, bool sectionBegin) const;
  /// The places in modification order that coherence and atomicity leave to a write that has none yet.
  std::vector<int> places(EventId write) const;
  /// Whether a read that changed its write still reads nothing older than what it knows of.
  bool readsCoherently(EventId read) const;
  /// The read-modify-write that reads `write`, or an initial id.
  EventId exclusiveReader(EventId write, int location) const;

  /// The place of the start of the last grace period of `thread` among all starts; 0 if there was none.
  int gracePeriodStart(int thread) const;
  /// The ends of the sections that a grace period of `thread` waits for; false if one of them has not ended.
  bool sectionsBefore(int thread, std::vector<EventId> &ends) const;

  /// Whether RC11's order of sequentially consistent events has no cycle.
  bool isSequentiallyConsistent() const;
  /// Whether it has none with one more event, at the end of its thread.
  bool staysSequentiallyConsistent(Event event, int thread) const;
  /// Whether it has none with a write, which has no place yet, after `place` others.
  bool staysSequentiallyConsistent(EventId write, int place);

  /// The reads that could read `write` instead, if they were made after it.
  std::vector<EventId> revisitable(EventId write) const;
  /// Whether the graph without what came after `read`, but for what `write` depends on, is explored from here.
  bool revisitsCanonically(EventId read, EventId write) const;
  /// That graph, with `read` reading `write`, which has no place yet.
  Graph revisited(EventId read, EventId write) const;
  /// Puts a write into modification order, after `place` others.
  void put(EventId write, int place);
  /// Takes the write that was put after `place` others out of it again.
  void takeOut(EventId write, int place);

  /// Equal for equal graphs, whatever order they were built in.
  std::array<uint64_t, 2> fingerprint() const;
  size_t eventCount() const;

private:
  std::array<std::vector<Event>, maximumThreads> threads;
  uint32_t nextStamp = 1;

  void order(Event &event) const;
  /// Gives an event that comes next in its thread what follows from that.
  void complete(Event &event, int thread) const;
  int earliestPlace(const Clock &before, int location, EventId except) const;
  bool wasAddedMaximally(EventId event, EventId write) const;
  friend class SequentialConsistency;
};

}  // namespace mm
