// One execution of the program under test: first as a graph says, then on from there as a strategy decides.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "Arena.hpp"
#include "CompilerCaches.hpp"
#include "Graph.hpp"
#include "Lockstep.hpp"
#include "Shadow.hpp"
#include "Spin.hpp"
#include "StaticData.hpp"
#include "Strategy.hpp"
#include "Visibility.hpp"

namespace mm {

enum class Ending : uint8_t {
  finished,
  /// A thread waits for a store that it could read, but does not read in this execution.
  blocked,
  /// The strategy gave up: inconsistent, or seen before.
  abandoned,
  /// A location turned out to be shared.
  learned,
  failed,
};

/// What a thread does at its next turn.
enum class Turn : uint8_t { step, exclusiveWrite, join, gracePeriod, value, spin, blocked };

/// A call of `Execution::pause`.
struct Pause {
  /// Return addresses, outermost first: a loop that waits pauses at the same place in each turn.
  std::vector<uintptr_t> place;
  /// How many events the thread had made.
  int executed = 0;
};

struct ModelThread {
  bool isLive = false, hasFinished = false;
  void (*body)(void *) = nullptr;
  void *argument = nullptr;
  EventId spawn;
  /// How many of its events this execution has made so far.
  int executed = 0;
  Turn turn = Turn::step;
  int joined = -1;
  /// For `Turn::value`: the read, without its source. For `Turn::spin`: how many events the turn of the loop began after.
  Event request;
  LocationName requested;
  int spinBegin = 0;
  /// How many events it had made when it last did something that another thread, or its own later turns, can depend on.
  int quietSince = 0;
  bool spunBefore = false;
  /// Where it has paused since it last did such a thing, and how many events it had made at the last pause there.
  std::vector<Pause> quietPauses;
  /// The last of all its pauses.
  Pause lastPause;
  /// In how many turns since it has read nothing but what it had read before. See `Execution::pause`.
  int idleTurns = 0;
  /// Whether it has had an access that is no event, since its last event.
  bool hadPlain = false;
  int sectionDepth = 0;
  int children = 0;
  SpinHistory spins;
  /// Return addresses, outermost first.
  std::vector<uintptr_t> calls;
  std::map<unsigned, void *> specific;

  /// The thread did something that is not to be done without.
  void makeProgress() {
    spins.clear();
    spunBefore = false;
    quietPauses.clear();
    quietSince = executed;
  }
};

/// An event in the order in which it was made, with what a replay needs.
struct Step {
  EventId id;
  /// For a read, its write.
  EventId source;
  /// For a write, the one before it in modification order, of those that were made before it.
  EventId after;
};

struct Failure {
  std::string what;
  /// The accesses that it is about: instruction and recorded stack.
  struct Place {
    std::string role;
    uintptr_t site;
    uint32_t stack;
    /// What was accessed, if it matters.
    uintptr_t address = 0;
  };
  std::vector<Place> places;
};

/// The number of the program's thread that this is, or -1.
extern constinit thread_local int currentNumber;

/// What an update does with the old value, if its rule holds.
using Modification = Value (*)(Value old, Value operand);

class Execution {
public:
  static Execution &shared() { return instance ? *instance : make(); }

  Ending run(void (*test)(void *), void *argument, Graph start, Strategy &strategy, bool records);

  Graph graph;
  std::vector<Step> steps;
  std::vector<std::pair<std::string, long>> observations;
  Failure failure;
  std::vector<std::vector<uintptr_t>> stacks;
  Visibility visibility;
  CompilerCaches caches;
  Arena arena;

  /// A mutation: grace periods are nothing but fences.
  bool gracePeriodsWait = true;

  /// Numbers for threads by parent and birth, in the order in which they were first seen: equal in all executions of a process.
  std::map<std::pair<int, int>, int> numbers;

  bool isReplaying() const { return remaining > 0; }
  const ModelThread &thread(int number) const { return threads[number]; }
  bool hasExecuted(EventId id) const { return id.isInitial() || threads[id.thread].executed >= id.index; }
  /// The writes that a thread's next read can choose from, of those that RC11 allows.
  std::vector<EventId> consistentSources(const Event &read, int thread, const std::vector<EventId> &sources) const;

  // What the program under test does. Called on its threads only.
  Value load(uintptr_t address, size_t size, Order order, uintptr_t site);
  void store(uintptr_t address, size_t size, Value value, Order order, uintptr_t site);
  Value update(uintptr_t address, size_t size, Rule rule, Value expected, Value operand, Modification modify, Order order,
               Order failureOrder, uintptr_t site);
  void fence(Order order, uintptr_t site);
  /// The thread says that it looked in vain and will look again.
  void pause(uintptr_t site);
  /// From here on a loop that pauses may end although nothing changed, as one that counts its turns does.
  void letLoopsEnd() { loopsEnd = true; }
  void plain(uintptr_t address, size_t size, bool isWrite, uintptr_t site) {
    // Most reads are those that build a program up, and that look for what it leaves behind.
    if (isSolitary && !isWrite && size <= 8 && currentThread().hadPlain && shadow.isInWholePage(address)) return;
    if (hasSpawned) notePlain(address, size, isWrite, site);
    if (isWrite) data.willWrite(address, size);
  }
  int spawn(void (*body)(void *), void *argument, uintptr_t site);
  void join(int thread, uintptr_t site);
  void sectionBegin(uintptr_t site);
  void sectionEnd(uintptr_t site);
  void gracePeriod(uintptr_t site);
  /// An update of a location that is not the program's, which waits until its rule holds.
  Value updateModelled(Space space, uintptr_t address, Rule rule, Value expected, Value operand, Modification modify,
                       Order order, bool waits, uintptr_t site);
  /// The last event was one of a lock or a condition variable, which is memory of the program like any other.
  void noteModelled(uintptr_t address, uintptr_t site) { note(address, 1, true, Order::relaxed, site, true); }
  /// Runs `body` unless it ran in this execution; its effects happen before the return.
  void once(uintptr_t token, void (*body)(void *), void *context, uintptr_t site);
  /// A new key for values of threads. The destructor runs at the end of a thread that has a value.
  unsigned makeKey(void (*destructor)(void *));
  void observe(const char *name, long value);
  [[noreturn]] void fail(std::string what, std::vector<Failure::Place> places);
  void *allocate(size_t size, size_t alignment);
  void release(void *block, uintptr_t site);
  void *reserve(size_t size);
  ModelThread &currentThread() { return threads[currentNumber]; }
  Failure::Place placeHere(std::string role, uintptr_t site);

private:
  static Execution *instance;
  static Execution &make();
  Execution();
  StaticData data;
  Shadow shadow;
  ModelThread threads[maximumThreads];
  std::unique_ptr<Worker> workers[maximumThreads];
  Gate over;
  Strategy *strategy = nullptr;
  /// Events of the start graph that are still to be made.
  int remaining = 0;
  bool records = false, isAborting = false, hasReserved = false, loopsEnd = false;
  Ending ending = Ending::finished;
  /// Whether there ever was a second thread. What came before happens before all that it does, so it needs no note.
  bool hasSpawned = false;
  /// Whether all that other threads did happens before what the running one does: they have ended, and it joined them.
  bool isSolitary = false;
  /// How many threads have not ended.
  int living = 0;
  /// For each token of `once`, the event at which its body was done.
  std::map<uintptr_t, EventId> onces;
  /// Destructors by key.
  std::vector<void (*)(void *)> keys;
  Region lastPrivate;
  int privateRepeats = 0, eventlessPauses = 0;

  void runBody(int number);
  bool isEnabled(int number);
  bool canReadNewer(int number, int begin) const;
  bool canReplay(int number) const;
  int chooseThread(int running);
  void reach(Turn turn);
  void destroySpecific();
  void finishThread();
  Ending stuckEnding();
  [[noreturn]] void leave(Ending ending);
  void park();

  Event prepare(Kind kind, Order order, uintptr_t site);
  EventId made(EventId id);
  bool nextIsPlanned() const;
  Event &planned(Kind kind);
  EventId perform(Event event);
  EventId performRead(Event event, const LocationName &name);
  EventId performWrite(Event event, const LocationName &name);
  int locate(const LocationName &name);
  LocationName memoryName(Region region);
  bool isNewest(EventId write) const;
  void checkSpin(uintptr_t site, uintptr_t address);
  bool repeatsLastTurn() const;
  const Event *readInIdleTurn(const LocationName &name);
  void note(uintptr_t address, size_t size, bool isWrite, Order order, uintptr_t site, bool isVisible);
  void notePlain(uintptr_t address, size_t size, bool isWrite, uintptr_t site);
  void demandLiving(uintptr_t address, size_t size, bool isWrite, bool isAtomic, uintptr_t site);
  bool followsAllThreads() const;
  void report(Conflict conflict, const ShadowAccess &earlier, uintptr_t address, bool isWrite, bool isAtomic, uintptr_t site);
  bool notePrivate(uintptr_t address, size_t size, bool isWrite, Order order, uintptr_t site);
  uint32_t stackHere(uintptr_t site) { return records && site != 0 ? recordStack(site) : 0; }
  uint32_t recordStack(uintptr_t site);
};

Value readMemory(uintptr_t address, size_t size);
void writeMemory(uintptr_t address, size_t size, Value value);

}  // namespace mm
