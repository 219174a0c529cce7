// How the events of the running thread join the graph, or are found in it again.
#include "Execution.hpp"
#include "Weakening.hpp"

namespace mm {

/// An execution with more events than this is one of an endless loop that changes something in each turn.
constexpr int maximumEvents = 20000;

Event Execution::prepare(Kind kind, Order order, uintptr_t site) {
  Event event;
  event.kind = kind;
  event.order = event.failureOrder = order;
  event.site = site;
  event.stack = stackHere(site);
  event.followsPlain = currentThread().hadPlain;
  if (Weakening::isActive) Weakening::shared().noteShared(site);
  currentThread().request = event;
  currentThread().idleTurns = 0;
  return event;
}

uint32_t Execution::recordStack(uintptr_t site) {
  std::vector<uintptr_t> stack{site};
  const auto &calls = currentThread().calls;
  stack.insert(stack.end(), calls.rbegin(), calls.rend());
  stacks.push_back(std::move(stack));
  return static_cast<uint32_t>(stacks.size() - 1);
}

Failure::Place Execution::placeHere(std::string role, uintptr_t site) {
  return {std::move(role), site, stackHere(site)};
}

bool Execution::nextIsPlanned() const { return threads[currentNumber].executed < graph.size(currentNumber); }

Event &Execution::planned(Kind kind) {
  ModelThread &self = currentThread();
  Event &event =
      graph.event({static_cast<int16_t>(currentNumber), static_cast<uint16_t>(self.executed + 1)});
  if (event.kind != kind) fail("the program does not do the same again: a replay made another event", {});
  return event;
}

EventId Execution::made(EventId id) {
  ModelThread &self = currentThread();
  self.executed++;
  self.hadPlain = false;
  if (remaining > 0) remaining--;
  const Event &event = graph.event(id);
  Step step{id, event.source, {}};
  if (event.kind == Kind::write)
    for (int i = graph.place(id, event.location) - 1; i > 0; i--)
      if (hasExecuted(graph.writeAt(i, event.location))) {
        step.after = graph.writeAt(i, event.location);
        break;
      }
  steps.push_back(step);
  if (self.executed > maximumEvents) fail("an execution does not end: bound the program's loops", {});
  return id;
}

EventId Execution::perform(Event event) {
  if (!nextIsPlanned()) return made(graph.add(std::move(event), currentNumber));
  Event &known = planned(event.kind);
  known.site = event.site;
  known.stack = event.stack;
  return made(known.id);
}

int Execution::locate(const LocationName &name) {
  int location = graph.locate(name);
  Location &found = graph.locations[location];
  if (!found.known) {
    found.known = true;
    found.initial = name.space == Space::memory ? readMemory(name.address, name.size) : 0;
  }
  return location;
}

LocationName Execution::memoryName(Region region) {
  return {region.address, shadow.incarnation(region.address, region.size), Space::memory,
          static_cast<uint8_t>(region.size)};
}

EventId Execution::performRead(Event event, const LocationName &name) {
  if (nextIsPlanned()) {
    const Event &known = planned(Kind::read);
    if (graph.locations[known.location].name != name)
      fail("the program does not do the same again: a replay read another location", {});
    return perform(std::move(event));
  }
  event.location = locate(name);
  // The choice is made in a scope of its own: `leave` runs no destructors.
  bool isChosen = [&] {
    std::vector<EventId> sources = graph.sources(currentNumber, event.location, event.sectionBegin);
    ModelThread &self = currentThread();
    if (self.turn == Turn::spin && self.executed - self.spinBegin == 1 && sources.size() > 1) {
      // A loop with one read goes on because there is something newer.
      EventId seen = graph.events(currentNumber)[self.spinBegin].source;
      std::erase(sources, seen);
    }
    if (strategy->addsInOrder()) sources = consistentSources(event, currentNumber, sources);
    if (sources.empty()) return false;
    int choice = strategy->chooseSource(*this, event, currentNumber, sources);
    if (choice < 0) return false;
    event.source = sources[choice];
    return true;
  }();
  if (!isChosen) leave(Ending::abandoned);
  return made(graph.add(std::move(event), currentNumber));
}

EventId Execution::performWrite(Event event, const LocationName &name) {
  if (nextIsPlanned()) {
    Event &known = planned(Kind::write);
    if (graph.locations[known.location].name != name || known.value != event.value)
      fail("the program does not do the same again: a replay wrote something else", {});
    return perform(std::move(event));
  }
  event.location = locate(name);
  EventId id = graph.add(event, currentNumber);
  bool isChosen = [&] {
    std::vector<int> places = graph.places(id);
    int choice = strategy->choosePlace(*this, id, places);
    if (choice < 0) return false;
    graph.put(id, places[choice]);
    return true;
  }();
  if (!isChosen) leave(Ending::abandoned);
  return made(id);
}

/// Whether no write made so far is later in modification order. Memory holds the newest.
bool Execution::isNewest(EventId write) const {
  int location = graph.event(write).location;
  for (int i = graph.lastPlace(location); i > 0; i--) {
    EventId other = graph.writeAt(i, location);
    if (other == write) return true;
    if (hasExecuted(other)) return false;
  }
  return true;
}

}  // namespace mm
