// Threads, locks and read-side sections of the program under test.
#include "Execution.hpp"

namespace mm {

int Execution::spawn(void (*body)(void *), void *argument, uintptr_t site) {
  ModelThread &self = currentThread();
  auto next = static_cast<int>(numbers.size()) + 1;
  int number = numbers.try_emplace({currentNumber, self.children++}, next).first->second;
  if (number >= maximumThreads) fail("too many threads", {placeHere("spawned", site)});
  Event event = prepare(Kind::spawn, Order::relaxed, site);
  self.makeProgress();
  reach(Turn::step);
  EventId id = perform(std::move(event));
  hasSpawned = true;
  isSolitary = false;
  living++;
  ModelThread &child = threads[number];
  child.isLive = true;
  child.body = body;
  child.argument = argument;
  child.spawn = id;
  child.request.kind = Kind::begin;
  if (!workers[number]) {
    workers[number] = std::make_unique<Worker>(number, [this, number] { runBody(number); });
    workers[number]->start();
  }
  return number;
}

void Execution::join(int number, uintptr_t site) {
  if (number <= 0 || number >= maximumThreads || !threads[number].isLive)
    fail("joined a thread that does not exist", {placeHere("joined", site)});
  ModelThread &self = currentThread();
  Event event = prepare(Kind::join, Order::relaxed, site);
  self.joined = number;
  self.makeProgress();
  reach(Turn::join);
  event.source = {static_cast<int16_t>(number), static_cast<uint16_t>(threads[number].executed)};
  perform(std::move(event));
  isSolitary = followsAllThreads();
}

bool Execution::followsAllThreads() const {
  const Clock &known = graph.events(currentNumber)[threads[currentNumber].executed - 1].happensBefore;
  for (int16_t i = 0; i < maximumThreads; i++) {
    if (i == currentNumber || !threads[i].isLive) continue;
    if (!threads[i].hasFinished || !known.covers({i, static_cast<uint16_t>(threads[i].executed)})) return false;
  }
  return true;
}

Value Execution::updateModelled(Space space, uintptr_t address, Rule rule, Value expected, Value operand,
                                Modification modify, Order order, bool waits, uintptr_t site) {
  ModelThread &self = currentThread();
  LocationName name{address, 0, space, 8};
  Event event = prepare(Kind::read, order, site);
  event.rule = rule;
  event.operand = expected;
  event.waits = waits;
  self.makeProgress();
  self.request = event;
  self.requested = name;
  reach(waits && strategy->addsInOrder() ? Turn::value : Turn::step);
  EventId read = performRead(event, name);
  Value old = graph.event(read).value;
  if (graph.event(read).blocks()) reach(Turn::blocked);
  if (!graph.event(read).awaitsWrite()) return old;
  reach(Turn::exclusiveWrite);
  event.kind = Kind::write;
  event.rule = Rule::read;
  event.waits = false;
  event.exclusive = true;
  event.value = modify(old, operand);
  performWrite(std::move(event), name);
  self.makeProgress();
  return old;
}

/// Where sections read at their beginning which grace periods have started before them.
constexpr uintptr_t gracePeriods = 0;

// RCU is an axiom here, as LKMM states it: for a section and a grace period, either the section ends before the grace period does,
// and then all before its end is seen by all after the grace period; or it begins after the grace period does, and then it sees
// all before that. Starts of grace periods are updates of one location, which the beginning of a section reads: those up to the one
// read come before the section. Every other grace period waits for the end of the section. The fences make both edges full barriers.
//
// Updates order the starts among each other more than LKMM asks for: of two grace periods one "happens before". The fences at
// their starts have an order anyway, so this admits the same values. Only a race between them and nothing else could escape.

void Execution::sectionBegin(uintptr_t site) {
  ModelThread &self = currentThread();
  if (self.sectionDepth++ > 0) return;
  Event event = prepare(Kind::read, Order::acquire, site);
  event.sectionBegin = true;
  reach(Turn::step);
  performRead(std::move(event), {gracePeriods, 0, Space::rcu, 8});
}

void Execution::sectionEnd(uintptr_t site) {
  ModelThread &self = currentThread();
  if (self.sectionDepth == 0) fail("the end of a read-side section that did not begin", {placeHere("here", site)});
  if (--self.sectionDepth > 0) return;
  Event event = prepare(Kind::sectionEnd, Order::relaxed, site);
  reach(Turn::step);
  perform(std::move(event));
}

void Execution::gracePeriod(uintptr_t site) {
  ModelThread &self = currentThread();
  if (self.sectionDepth > 0)
    fail("deadlock: a grace period waits for the section that it is called in", {placeHere("here", site)});
  fence(Order::sequentiallyConsistent, site);
  if (!gracePeriodsWait) return;
  updateModelled(
      Space::rcu, gracePeriods, Rule::always, 0, 1, [](Value old, Value operand) { return old + operand; },
      Order::acquireRelease, false, site);
  Event event = prepare(Kind::gracePeriod, Order::relaxed, site);
  self.makeProgress();
  reach(Turn::gracePeriod);
  if (!nextIsPlanned()) graph.sectionsBefore(currentNumber, event.waitedFor);
  perform(std::move(event));
  fence(Order::sequentiallyConsistent, site);
}

static Value replaced(Value, Value operand) { return operand; }

void Execution::once(uintptr_t token, void (*body)(void *), void *context, uintptr_t site) {
  ModelThread &self = currentThread();
  if (auto done = onces.find(token); done != onces.end()) {
    const Clock &clock = graph.events(currentNumber)[self.executed - 1].happensBefore;
    if (clock.covers(done->second)) return;
  }
  const Value held = 1;
  updateModelled(Space::lock, token, Rule::zero, 0, held, replaced, Order::acquire, true, site);
  if (!onces.contains(token)) {
    body(context);
    onces[token] = {static_cast<int16_t>(currentNumber), static_cast<uint16_t>(self.executed + 1)};
  }
  updateModelled(Space::lock, token, Rule::always, 0, 0, replaced, Order::acquireRelease, false, site);
}

unsigned Execution::makeKey(void (*destructor)(void *)) {
  keys.push_back(destructor);
  return static_cast<unsigned>(keys.size() - 1);
}

void Execution::observe(const char *name, long value) {
  currentThread().makeProgress();
  for (auto &[known, last] : observations)
    if (known == name) {
      last = value;
      return;
    }
  observations.emplace_back(name, value);
}

void *Execution::allocate(size_t size, size_t alignment) {
  currentThread().makeProgress();
  void *block = arena.allocate(currentNumber, size, alignment);
  if (!block) fail("out of memory for the program under test", {});
  return block;
}

void *Execution::reserve(size_t size) {
  if (!hasReserved) data.add(Arena::reservedBegin(), Arena::reservedEnd());
  hasReserved = true;
  void *block = arena.reserve(size);
  if (!block) fail("out of memory for the program under test", {});
  return block;
}

void Execution::release(void *block, uintptr_t site) {
  ptrdiff_t size = arena.size(block);
  if (size < 0) fail("freed twice", {placeHere("freed", site)});
  ModelThread &self = currentThread();
  ShadowAccess access;
  access.thread = static_cast<uint8_t>(currentNumber);
  access.epoch = static_cast<uint16_t>(self.executed + 1);
  access.isWrite = access.isFree = true;
  access.site = site;
  access.stack = stackHere(site);
  const Clock &clock = graph.events(currentNumber)[self.executed - 1].happensBefore;
  ShadowAccess earlier;
  auto address = reinterpret_cast<uintptr_t>(block);
  Conflict conflict = size == 0 ? Conflict::none : shadow.note(address, static_cast<size_t>(size), access, clock, earlier);
  if (conflict != Conflict::none)
    fail("use after free: an access races with the free",
         {placeHere("thread " + std::to_string(currentNumber) + ": free", site),
          {"thread " + std::to_string(earlier.thread) + (earlier.isWrite ? ": write" : ": read"), earlier.site, earlier.stack}});
  arena.release(block);
  self.makeProgress();
}

}  // namespace mm
