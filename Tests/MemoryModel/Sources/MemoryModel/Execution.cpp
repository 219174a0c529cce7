#include "Execution.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace mm {

constinit thread_local int currentNumber = -1;
Execution *Execution::instance = nullptr;

/// A crash of the program under test is a failure like others. It is left where it is, and not returned to.
static void crashed(int signal) {
  if (currentNumber < 0) {
    std::signal(signal, SIG_DFL);
    raise(signal);
    return;
  }
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  Execution &execution = Execution::shared();
  execution.fail(std::string("crash: ") + strsignal(signal),
                 {execution.placeHere("thread " + std::to_string(currentNumber) + ", after", execution.currentThread().request.site)});
}

Execution::Execution() {
  data.find();
  caches.find();
  for (int signal : {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT}) std::signal(signal, crashed);
}

/// The first call comes before there are threads of the program.
Execution &Execution::make() { return *(instance = new Execution); }

Ending Execution::run(void (*test)(void *), void *argument, Graph start, Strategy &decider, bool recordsStacks) {
  graph = std::move(start);
  remaining = static_cast<int>(graph.eventCount());
  strategy = &decider;
  records = recordsStacks;
  steps.clear();
  observations.clear();
  stacks.assign(1, {});
  shadow.reset();
  arena.reset();
  lastPrivate = {};
  eventlessPauses = 0;
  loopsEnd = hasSpawned = isSolitary = false;
  living = 1;
  onces.clear();
  keys.clear();
  for (ModelThread &thread : threads) thread = ModelThread{};
  threads[0].isLive = true;
  threads[0].body = test;
  threads[0].argument = argument;
  if (!workers[0]) {
    workers[0] = std::make_unique<Worker>(0, [this] { runBody(0); });
    workers[0]->start();
  }
  workers[0]->gate.open();
  over.pass();

  isAborting = true;
  for (int i = 0; i < maximumThreads; i++)
    if (threads[i].isLive && !threads[i].hasFinished) {
      workers[i]->gate.open();
      over.pass();
    }
  isAborting = false;
  data.restore();
  return ending;
}

void Execution::runBody(int number) {
  static thread_local bool hasThreadLocals = false;
  if (!hasThreadLocals) {
    data.addThreadLocals();
    hasThreadLocals = true;
  }
  if (isAborting) {
    over.open();
    return;
  }
  currentNumber = number;
  ModelThread &self = threads[number];
  Event begin = prepare(Kind::begin, Order::relaxed, 0);
  begin.source = self.spawn;
  perform(begin);
  self.body(self.argument);
  destroySpecific();
  finishThread();
}

/// As the C library does: a destructor may set a value again; that one's destructor then runs in another round.
void Execution::destroySpecific() {
  ModelThread &self = currentThread();
  for (int round = 0; round < 4; round++)
    for (unsigned key = 0; key < keys.size(); key++) {
      auto entry = self.specific.find(key);
      if (entry == self.specific.end() || !entry->second || !keys[key]) continue;
      void *value = entry->second;
      entry->second = nullptr;
      keys[key](value);
    }
}

void Execution::finishThread() {
  Event end = prepare(Kind::end, Order::relaxed, 0);
  reach(Turn::step);
  perform(std::move(end));
  ModelThread &self = currentThread();
  self.hasFinished = true;
  living--;
  int next = chooseThread(currentNumber);
  currentNumber = -1;
  if (next >= 0) {
    workers[next]->gate.open();
  } else {
    ending = next == -1 ? stuckEnding() : next == -2 ? Ending::abandoned : Ending::failed;
    over.open();
  }
}

/// Ends the execution. The driver then abandons the other threads where they are.
void Execution::leave(Ending how) {
  ending = how;
  int number = currentNumber;
  threads[number].hasFinished = true;
  currentNumber = -1;
  over.open();
  workers[number]->abandon();
}

void Execution::park() {
  int number = currentNumber;
  workers[number]->gate.pass();
  if (!isAborting) return;
  currentNumber = -1;
  over.open();
  workers[number]->abandon();
}

/// Lets the threads that come before this one go on, until it is this thread's turn.
void Execution::reach(Turn turn) {
  ModelThread &self = currentThread();
  self.turn = turn;
  int next = chooseThread(currentNumber);
  if (next == -1) leave(stuckEnding());
  if (next == -2) leave(Ending::abandoned);
  if (next == -3) leave(Ending::failed);
  if (next == currentNumber) return;
  workers[next]->gate.open();
  park();
}

/// The thread that has the next event; -1 if there is none, -2 if the strategy gives up, -3 if the program did not repeat itself.
int Execution::chooseThread(int running) {
  if (remaining > 0) {
    if (canReplay(running)) return running;
    for (int i = 0; i < maximumThreads; i++)
      if (canReplay(i)) return i;
    failure = {"the program does not do the same again: a replay found no thread that goes on", {}};
    return -3;
  }
  if (int forced = strategy->forcedThread(*this); forced >= 0) return forced;
  std::vector<int> enabled;
  for (int i = 0; i < maximumThreads; i++) {
    if (!threads[i].isLive || threads[i].hasFinished) continue;
    if (threads[i].turn == Turn::exclusiveWrite) return i;
    if (isEnabled(i)) enabled.push_back(i);
  }
  if (enabled.empty()) return -1;
  int next = strategy->nextThread(*this, enabled, running);
  return next < 0 ? -2 : next;
}

bool Execution::canReplay(int number) const {
  const ModelThread &thread = threads[number];
  if (!thread.isLive || thread.hasFinished || thread.executed >= graph.size(number)) return false;
  const Event &next = graph.events(number)[thread.executed];
  if (!hasExecuted(next.source)) return false;
  return std::all_of(next.waitedFor.begin(), next.waitedFor.end(), [&](EventId end) { return hasExecuted(end); });
}

bool Execution::isEnabled(int number) {
  ModelThread &thread = threads[number];
  switch (thread.turn) {
  case Turn::step:
  case Turn::exclusiveWrite: return true;
  case Turn::join: return threads[thread.joined].hasFinished;
  case Turn::gracePeriod: {
    std::vector<EventId> ends;
    return graph.sectionsBefore(number, ends);
  }
  case Turn::value: {
    Event read = thread.request;
    read.location = locate(thread.requested);
    return !consistentSources(read, number, graph.sources(number, read.location, false)).empty();
  }
  case Turn::spin:
    if (!strategy->addsInOrder()) return false;
    return canReadNewer(number, thread.spinBegin);
  case Turn::blocked: return false;
  }
  return false;
}

/// Whether a location that a thread has read since its event `begin` has a write that is newer than what it knows of there.
bool Execution::canReadNewer(int number, int begin) const {
  const auto &events = graph.events(number);
  for (int i = begin; i < threads[number].executed; i++) {
    const Event &read = events[i];
    if (read.kind != Kind::read) continue;
    int known = graph.place(read.source, read.location);
    for (int j = i + 1; j < threads[number].executed; j++)
      if (events[j].kind == Kind::write && events[j].location == read.location)
        known = std::max(known, graph.place(events[j].id, read.location));
    if (known < graph.lastPlace(read.location)) return true;
  }
  return false;
}

/// What it means that no thread can go on.
Ending Execution::stuckEnding() {
  bool isStuck = false;
  Failure deadlock{"deadlock: no thread can go on", {}};
  for (int number = 0; number < maximumThreads; number++) {
    const ModelThread &thread = threads[number];
    if (!thread.isLive || thread.hasFinished) continue;
    isStuck = true;
    int begin = thread.turn == Turn::spin ? thread.spinBegin : thread.turn == Turn::blocked ? thread.executed - 1 : -1;
    if (begin >= 0 && canReadNewer(number, begin)) return Ending::blocked;
    const char *why = thread.turn == Turn::join          ? "joins"
                      : thread.turn == Turn::gracePeriod ? "waits for a grace period"
                      : thread.turn == Turn::spin        ? "repeats its reads"
                                                         : "waits for a lock or a value";
    deadlock.places.push_back(
        {"thread " + std::to_string(number) + " " + why, thread.request.site, thread.request.stack});
  }
  if (!isStuck) return Ending::finished;
  failure = deadlock;
  return Ending::failed;
}

std::vector<EventId> Execution::consistentSources(const Event &read, int thread,
                                                  const std::vector<EventId> &sources) const {
  std::vector<EventId> result;
  for (EventId source : sources) {
    Event candidate = read;
    candidate.source = source;
    candidate.value = graph.value(source, read.location);
    if (candidate.blocks()) continue;
    if (candidate.awaitsWrite() && !graph.exclusiveReader(source, read.location).isInitial()) continue;
    if (source != sources.back() && !graph.staysSequentiallyConsistent(candidate, thread)) continue;
    result.push_back(source);
  }
  return result;
}

void Execution::fail(std::string what, std::vector<Failure::Place> places) {
  failure = {std::move(what), std::move(places)};
  leave(Ending::failed);
}

}  // namespace mm
