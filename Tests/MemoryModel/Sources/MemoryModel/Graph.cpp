#include "Graph.hpp"

namespace mm {

static const Clock noClock{};

const Clock &Graph::clock(int thread) const {
  return threads[thread].empty() ? noClock : threads[thread].back().happensBefore;
}

int Graph::locate(const LocationName &name) {
  for (size_t i = 0; i < locations.size(); i++)
    if (locations[i].name == name) return static_cast<int>(i);
  Location fresh;
  fresh.name = name;
  locations.push_back(fresh);
  return static_cast<int>(locations.size()) - 1;
}

Value Graph::value(EventId write, int location) const {
  return write.isInitial() ? locations[location].initial : event(write).value;
}

int Graph::place(EventId write, int location) const {
  if (write.isInitial()) return 0;
  const auto &writes = locations[location].writes;
  for (size_t i = 0; i < writes.size(); i++)
    if (writes[i] == write) return static_cast<int>(i) + 1;
  return -1;
}

EventId Graph::writeAt(int place, int location) const {
  return place == 0 ? EventId{} : locations[location].writes[place - 1];
}

void Graph::complete(Event &event, int thread) const {
  event.id = {static_cast<int16_t>(thread), static_cast<uint16_t>(threads[thread].size() + 1)};
  event.stamp = nextStamp;
  if (event.kind == Kind::read) event.value = value(event.source, event.location);
  order(event);
}

EventId Graph::add(Event event, int thread) {
  complete(event, thread);
  nextStamp++;
  if (event.kind == Kind::read) locations[event.location].reads.push_back(event.id);
  // An execution has some hundred events, and they are large.
  if (threads[thread].empty()) threads[thread].reserve(64);
  threads[thread].push_back(std::move(event));
  return threads[thread].back().id;
}

void Graph::put(EventId write, int place) {
  auto &writes = locations[event(write).location].writes;
  writes.insert(writes.begin() + place, write);
}

void Graph::takeOut(EventId write, int place) {
  auto &writes = locations[event(write).location].writes;
  writes.erase(writes.begin() + place);
}

/// Computes the clocks of an event from those of the events it follows. They never change afterwards.
void Graph::order(Event &event) const {
  int thread = event.id.thread;
  const Event *previous = event.id.index > 1 ? &threads[thread][event.id.index - 2] : nullptr;
  event.happensBefore = previous ? previous->happensBefore : noClock;
  event.causes = previous ? previous->causes : noClock;
  event.pendingAcquire = previous ? previous->pendingAcquire : noClock;
  event.releaseFence = previous ? previous->releaseFence : noClock;
  event.happensBefore.last[thread] = event.causes.last[thread] = event.id.index;

  auto follow = [&](EventId id) {
    event.happensBefore.join(this->event(id).happensBefore);
    event.causes.join(this->event(id).causes);
  };
  switch (event.kind) {
  case Kind::read:
    if (event.source.isInitial()) break;
    event.causes.join(this->event(event.source).causes);
    if (acquires(event.effectiveOrder())) event.happensBefore.join(this->event(event.source).message);
    event.pendingAcquire.join(this->event(event.source).message);
    // What came before the start of a grace period is visible to all threads before a section begins that comes after it.
    if (event.sectionBegin) event.releaseFence.join(this->event(event.source).message);
    break;
  case Kind::fence:
    if (acquires(event.order)) event.happensBefore.join(event.pendingAcquire);
    if (releases(event.order)) event.releaseFence = event.happensBefore;
    break;
  case Kind::begin:
    if (!event.source.isInitial()) follow(event.source);
    break;
  case Kind::join: follow(event.source); break;
  case Kind::gracePeriod:
    // What a section saw before its end is visible after the grace period, whether or not the section acquired it.
    for (EventId end : event.waitedFor) {
      follow(end);
      event.happensBefore.join(this->event(end).pendingAcquire);
    }
    break;
  case Kind::write: {
    event.ownMessage = releases(event.order) ? event.happensBefore : event.releaseFence;
    // A release sequence goes on with later writes of the same thread to the location: RC11's `[W]; (sb & loc)?`.
    for (int i = event.id.index - 2; i >= 0; i--) {
      const Event &earlier = threads[thread][i];
      if (earlier.kind != Kind::write || earlier.location != event.location) continue;
      event.ownMessage.join(earlier.ownMessage);
      break;
    }
    event.message = event.ownMessage;
    // And with read-modify-writes of any thread.
    if (event.exclusive && !previous->source.isInitial()) event.message.join(this->event(previous->source).message);
    break;
  }
  case Kind::end:
  case Kind::spawn:
  case Kind::sectionEnd: break;
  }
}

EventId Graph::exclusiveReader(EventId write, int location) const {
  int next = place(write, location);
  const auto &writes = locations[location].writes;
  if (next >= static_cast<int>(writes.size()) || !event(writes[next]).exclusive) return {};
  EventId reader = writes[next];
  reader.index--;
  return reader;
}

int Graph::gracePeriodStart(int thread) const {
  const auto &events = threads[thread];
  for (auto event = events.rbegin(); event != events.rend(); event++)
    if (event->kind == Kind::write && locations[event->location].name.space == Space::rcu)
      return place(event->id, event->location);
  return 0;
}

bool Graph::sectionsBefore(int thread, std::vector<EventId> &ends) const {
  int startPlace = gracePeriodStart(thread);
  ends.clear();
  for (int other = 0; other < maximumThreads; other++) {
    EventId last;
    bool isOpen = false;
    for (const Event &event : threads[other]) {
      if (event.sectionBegin && place(event.source, event.location) < startPlace) isOpen = true;
      if (event.kind == Kind::sectionEnd && isOpen) {
        isOpen = false;
        last = event.id;
      }
    }
    if (isOpen) return false;
    if (!last.isInitial()) ends.push_back(last);
  }
  return true;
}

size_t Graph::eventCount() const {
  size_t count = 0;
  for (const auto &events : threads) count += events.size();
  return count;
}

static uint64_t mix(uint64_t state, uint64_t value) {
  state ^= value + 0x9e3779b97f4a7c15 + (state << 6) + (state >> 2);
  state *= 0xbf58476d1ce4e5b9;
  return state ^ (state >> 29);
}

std::array<uint64_t, 2> Graph::fingerprint() const {
  uint64_t a = 1, b = 2;
  auto include = [&](uint64_t value) {
    a = mix(a, value);
    b = mix(b, value * 0x94d049bb133111eb + 1);
  };
  auto includeId = [&](EventId id) { include(static_cast<uint64_t>(id.thread + 1) << 32 | id.index); };
  for (const auto &events : threads) {
    include(events.size());
    for (const Event &event : events) {
      include(static_cast<uint64_t>(event.kind) << 8 | static_cast<uint64_t>(event.effectiveOrder()));
      includeId(event.source);
      include(static_cast<uint64_t>(event.value));
      if (event.location >= 0) include(locations[event.location].name.address);
      if (event.kind == Kind::write) {
        int at = place(event.id, event.location);
        includeId(at > 0 ? writeAt(at - 1, event.location) : EventId{});
      }
      for (EventId end : event.waitedFor) includeId(end);
    }
  }
  return {a, b};
}

}  // namespace mm
