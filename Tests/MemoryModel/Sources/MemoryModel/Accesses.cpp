// Atomic and plain accesses of the program's memory.
#include <algorithm>
#include <cstring>

#include "Execution.hpp"
#include "Weakening.hpp"

namespace mm {

Value readMemory(uintptr_t address, size_t size) {
  Value value = 0;
  memcpy(&value, reinterpret_cast<const void *>(address), size);
  return value;
}

void writeMemory(uintptr_t address, size_t size, Value value) {
  memcpy(reinterpret_cast<void *>(address), &value, size);
}

/// So often a thread may look at what no other thread has touched. Then it waits for that: the location is shared.
constexpr int mostRepeats = 200;

static Value bits(size_t size) { return size == 16 ? ~Value{0} : (Value{1} << (size * 8)) - 1; }

static std::string describe(int thread, bool isWrite, bool isAtomic) {
  return "thread " + std::to_string(thread) + ": " + (isAtomic ? "atomic " : "plain ") + (isWrite ? "write" : "read");
}

void Execution::report(Conflict conflict, const ShadowAccess &earlier, uintptr_t address, bool isWrite, bool isAtomic,
                       uintptr_t site) {
  Failure::Place here = placeHere(describe(currentNumber, isWrite, isAtomic), site);
  here.address = address;
  std::string there = earlier.isFree ? "thread " + std::to_string(earlier.thread) + ": free"
                                     : describe(earlier.thread, earlier.isWrite, earlier.isAtomic);
  fail(conflict == Conflict::useAfterFree ? "use after free" : "data race",
       {here, {there, earlier.site, earlier.stack}});
}

/// Fails if an access is one of freed memory: the only fault of a thread that all others are ordered before. It needs no note. A thread
/// that it starts later is ordered after it.
void Execution::demandLiving(uintptr_t address, size_t size, bool isWrite, bool isAtomic, uintptr_t site) {
  ShadowAccess earlier;
  if (shadow.isFreed(address, size, earlier)) report(Conflict::useAfterFree, earlier, address, isWrite, isAtomic, site);
}

void Execution::note(uintptr_t address, size_t size, bool isWrite, Order order, uintptr_t site, bool isVisible) {
  if (!hasSpawned) return;
  if (isSolitary) {
    demandLiving(address, size, isWrite, true, site);
    return;
  }
  ModelThread &self = currentThread();
  ShadowAccess access;
  access.thread = static_cast<uint8_t>(currentNumber);
  access.epoch = static_cast<uint16_t>(self.executed + (isVisible ? 0 : 1));
  access.isWrite = isWrite;
  access.isAtomic = true;
  // After the last thread's end nothing can come in between.
  access.isSequentiallyConsistent = isSequentiallyConsistent(order) && living > 1;
  access.site = site;
  access.stack = stackHere(site);
  static const Clock none{};
  const Clock &clock =
      self.executed == 0 ? none : graph.events(currentNumber)[self.executed - 1].happensBefore;
  ShadowAccess earlier;
  Conflict conflict = shadow.note(address, size, access, clock, earlier);
  if (Weakening::isActive && shadow.orderedBefore() != 0) {
    Weakening::shared().noteOrdered(site);
    Weakening::shared().noteOrdered(shadow.orderedBefore());
  }
  if (conflict == Conflict::none || (conflict == Conflict::shared && isVisible)) return;
  if (conflict == Conflict::shared) {
    visibility.add(address, size);
    leave(Ending::learned);
  }
  report(conflict, earlier, address, isWrite, true, site);
}

/// Whether the access needs no scheduling, and is noted.
bool Execution::notePrivate(uintptr_t address, size_t size, bool isWrite, Order order, uintptr_t site) {
  Region region = visibility.find(address, size);
  if (region.size > 0) {
    if (region.address > address || region.address + region.size < address + size) {
      visibility.add(address, size);
      leave(Ending::learned);
    }
    return false;
  }
  // A thread that waits for a location that no other thread has touched so far.
  privateRepeats = lastPrivate.address == address ? privateRepeats + 1 : 0;
  lastPrivate = {address, size};
  if (privateRepeats > mostRepeats && !isWrite) {
    visibility.add(address, size);
    leave(Ending::learned);
  }
  note(address, size, isWrite, order, site, false);
  currentThread().hadPlain = true;
  if (isWrite) {
    data.willWrite(address, size);
    currentThread().spins.wrote(address, size);
  }
  return true;
}

void Execution::checkSpin(uintptr_t site, uintptr_t address) {
  ModelThread &self = currentThread();
  // Without another thread a loop that repeats itself is a deadlock, which may be noticed later.
  constexpr int soonEnough = 1000;
  bool isAlone = isSolitary || !hasSpawned;
  int begin = isAlone && self.executed < soonEnough
                  ? -1
                  : self.spins.look(site, address, self.executed, workers[currentNumber]->stackBase());
  if (begin < 0) {
    reach(Turn::step);
    return;
  }
  self.spinBegin = begin;
  // A loop with several reads may go on although it reads the same again. Once is enough.
  if (self.spunBefore && strategy->addsInOrder()) leave(Ending::blocked);
  self.spunBefore = self.executed - begin > 1;
  reach(Turn::spin);
}

Value Execution::load(uintptr_t address, size_t size, Order order, uintptr_t site) {
  if (notePrivate(address, size, false, order, site)) return readMemory(address, size);
  Region region = visibility.find(address, size);
  auto part = [&](Value whole) { return whole >> ((address - region.address) * 8) & bits(size); };
  if (const Event *known = readInIdleTurn(memoryName(region))) return part(known->value);
  Event event = prepare(Kind::read, order, site);
  checkSpin(site, address);
  EventId id = performRead(std::move(event), memoryName(region));
  note(address, size, false, order, site, true);
  return part(graph.event(id).value);
}

namespace {

/// A value for some of a location's bytes. An access of one size to a location of another is outside of C11; a write is
/// modelled as an update of the whole.
struct Part {
  unsigned shift;
  Value mask;
  Value insert(Value whole, Value part) const { return (whole & ~(mask << shift)) | (part & mask) << shift; }
};

}  // namespace

void Execution::store(uintptr_t address, size_t size, Value value, Order order, uintptr_t site) {
  if (notePrivate(address, size, true, order, site)) {
    writeMemory(address, size, value);
    return;
  }
  Region region = visibility.find(address, size);
  data.willWrite(region.address, region.size);
  currentThread().makeProgress();
  Event event = prepare(Kind::write, order, site);
  event.value = value & bits(size);
  if (region.size != size) {
    Part part{static_cast<unsigned>(address - region.address) * 8, bits(size)};
    Event read = prepare(Kind::read, Order::relaxed, site);
    read.rule = Rule::always;
    reach(Turn::step);
    EventId old = performRead(std::move(read), memoryName(region));
    reach(Turn::exclusiveWrite);
    event.exclusive = true;
    event.value = part.insert(graph.event(old).value, value);
  } else {
    reach(Turn::step);
  }
  Value whole = event.value;
  EventId id = performWrite(std::move(event), memoryName(region));
  if (isNewest(id)) writeMemory(region.address, region.size, whole);
  note(address, size, true, order, site, true);
}

Value Execution::update(uintptr_t address, size_t size, Rule rule, Value expected, Value operand, Modification modify,
                        Order order, Order failureOrder, uintptr_t site) {
  Region region = visibility.find(address, size);
  if (region.size == 0) {
    Value old = readMemory(address, size);
    bool writes = rule != Rule::equal || old == (expected & bits(size));
    notePrivate(address, size, writes, writes ? order : failureOrder, site);
    if (writes) writeMemory(address, size, modify(old, operand));
    return old;
  }
  if (region.size != size) fail("an atomic update of a part of a location that is accessed as a whole", {placeHere("here", site)});
  data.willWrite(address, size);
  Event event = prepare(Kind::read, order, site);
  event.rule = rule;
  event.operand = expected & bits(size);
  event.failureOrder = failureOrder;
  checkSpin(site, address);
  EventId read = performRead(event, memoryName(region));
  Value old = graph.event(read).value;
  if (!graph.event(read).awaitsWrite()) {
    note(address, size, false, failureOrder, site, true);
    return old;
  }
  reach(Turn::exclusiveWrite);
  event.kind = Kind::write;
  event.rule = Rule::read;
  event.exclusive = true;
  event.value = modify(old, operand) & bits(size);
  // An update that changes nothing, as a failed attempt to take a flag, is no progress.
  if (event.value != old) {
    currentThread().makeProgress();
  }
  Value value = event.value;
  EventId id = performWrite(std::move(event), memoryName(region));
  if (isNewest(id)) writeMemory(address, size, value);
  note(address, size, true, order, site, true);
  if (value != old) currentThread().makeProgress();
  return old;
}

void Execution::fence(Order order, uintptr_t site) {
  Event event = prepare(Kind::fence, order, site);
  reach(Turn::step);
  perform(std::move(event));
}

/// Whether the events since the last pause are those before it once more: the same accesses with the same values.
bool Execution::repeatsLastTurn() const {
  const ModelThread &self = threads[currentNumber];
  const auto &events = graph.events(currentNumber);
  int length = self.executed - self.lastPause.executed;
  if (length == 0 || self.lastPause.executed < length) return false;
  for (int i = self.lastPause.executed; i < self.executed; i++) {
    const Event &now = events[i], &before = events[i - length];
    if (now.kind != before.kind || now.site != before.site || now.location != before.location || now.value != before.value)
      return false;
  }
  return true;
}

/// A turn of a loop that changed nothing can be left out, and so can one that repeats the last turn: what it changed, it put
/// back. In the complete search the thread stops: another execution has it read something newer at once. Otherwise it waits until
/// there is something newer.
///
/// A turn begins and ends at the same place. A thread that pauses elsewhere goes on with something else.
///
/// With `letLoopsEnd`, a thread goes on after a turn that changed nothing, and reads the same again without an event, until it does
/// something else.
void Execution::pause(uintptr_t site) {
  constexpr int endlessTurns = 1000;
  ModelThread &self = currentThread();
  Pause now{self.calls, self.executed};
  now.place.push_back(site);
  auto last = std::find_if(self.quietPauses.begin(), self.quietPauses.end(),
                           [&](const Pause &pause) { return pause.place == now.place; });
  bool isQuiet = last != self.quietPauses.end();
  bool hasRead = false;
  for (int i = isQuiet ? last->executed : self.executed; i < self.executed; i++)
    hasRead = hasRead || graph.events(currentNumber)[i].kind == Kind::read;
  bool isSamePlace = self.lastPause.place == now.place;
  bool isIdle = hasRead || (self.idleTurns > 0 && isSamePlace);
  if (!isIdle) self.idleTurns = 0;
  if (isIdle && loopsEnd && self.idleTurns < endlessTurns) {
    if (isQuiet) self.lastPause = *last;
    self.idleTurns++;
    return;
  }
  if (self.executed > self.lastPause.executed)
    eventlessPauses = 0;
  else if (lastPrivate.size > 0 && ++eventlessPauses > mostRepeats) {
    visibility.add(lastPrivate.address, lastPrivate.size);
    leave(Ending::learned);
  }
  if (isIdle || (isSamePlace && repeatsLastTurn())) {
    self.request.site = site;
    self.spinBegin = isQuiet ? last->executed : self.lastPause.executed;
    reach(Turn::spin);
  }
  std::vector<Pause> quiet = std::move(self.quietPauses);
  self.makeProgress();
  if (isQuiet)
    *last = now;
  else
    quiet.push_back(now);
  self.quietPauses = std::move(quiet);
  self.lastPause = std::move(now);
}

/// What the thread has read of a location in the last turn, if it is in an idle turn after it.
const Event *Execution::readInIdleTurn(const LocationName &name) {
  ModelThread &self = currentThread();
  if (self.idleTurns == 0) return nullptr;
  for (int i = self.executed - 1; i >= self.lastPause.executed; i--) {
    const Event &event = graph.events(currentNumber)[i];
    if (event.kind == Kind::read && !event.sectionBegin && graph.locations[event.location].name == name) return &event;
  }
  return nullptr;
}

void Execution::notePlain(uintptr_t address, size_t size, bool isWrite, uintptr_t site) {
  ModelThread &self = currentThread();
  // A plain write of a shared location begins another life of it, which has a name of its own.
  if (isSolitary && !(isWrite && visibility.find(address, size).size > 0)) {
    demandLiving(address, size, isWrite, false, site);
  } else {
    ShadowAccess access;
    access.thread = static_cast<uint8_t>(currentNumber);
    access.epoch = static_cast<uint16_t>(self.executed + 1);
    access.isWrite = isWrite;
    access.site = site;
    access.stack = stackHere(site);
    const Clock &clock = graph.events(currentNumber)[self.executed - 1].happensBefore;
    ShadowAccess earlier;
    Conflict conflict = shadow.note(address, size, access, clock, earlier);
    if (conflict != Conflict::none) report(conflict, earlier, address, isWrite, false, site);
  }
  self.hadPlain = self.hadPlain || visibility.find(address, size).size == 0;
  if (isWrite) self.spins.wrote(address, size);
}

}  // namespace mm
