// RC11's `psc`: the order that sequentially consistent accesses and fences must have, which must not be cyclic.
//
//   scb      = po | po\loc ; hb ; po\loc | hb & loc | mo | fr
//   psc_base = ([SC] | [F & SC] ; hb?) ; scb ; ([SC] | hb? ; [F & SC])
//   psc_F    = [F & SC] ; (hb | hb ; eco ; hb) ; [F & SC]
//
// A relation is a row of bits for each event. Only accesses and fences take part; the rest acts through `hb`.
//
// Plain accesses are no events. They matter in `po\loc ; hb ; po\loc` alone, and there only between two accesses of one location: beside
// any other event, that event does as well. One stands there for all of them, an access of another location than all.
#include <deque>

#include "Graph.hpp"

namespace mm {

namespace {

class Bits {
public:
  explicit Bits(size_t count) : words((count + 63) / 64) {}
  void set(size_t i) { words[i / 64] |= uint64_t{1} << (i % 64); }
  bool contains(size_t i) const { return words[i / 64] >> (i % 64) & 1; }
  void add(const Bits &other) {
    for (size_t i = 0; i < words.size(); i++) words[i] |= other.words[i];
  }
  bool meets(const Bits &other) const {
    for (size_t i = 0; i < words.size(); i++)
      if (words[i] & other.words[i]) return true;
    return false;
  }
  template <typename Body>
  void forEach(Body body) const {
    for (size_t i = 0; i < words.size(); i++)
      for (uint64_t rest = words[i]; rest; rest &= rest - 1) body(i * 64 + static_cast<size_t>(__builtin_ctzll(rest)));
  }

private:
  std::vector<uint64_t> words;
};

using Relation = std::vector<Bits>;

}  // namespace

class SequentialConsistency {
public:
  explicit SequentialConsistency(const Graph &graph) : graph(graph) {
    for (const auto &events : graph.threads) {
      const Event *previous = nullptr, *afterPlain = nullptr;
      for (const Event &event : events) {
        if (event.followsPlain && !event.exclusive) afterPlain = &event;
        if ((!event.isAccess() && event.kind != Kind::fence) || isAlone(event)) continue;
        if (afterPlain && previous && previous->location >= 0 && previous->location == event.location)
          addPlainBefore(*afterPlain, events);
        afterPlain = nullptr;
        previous = &event;
        all.push_back(&event);
        places.push_back(event.isAccess() ? place(event) : -1);
        if (mm::isSequentiallyConsistent(event.effectiveOrder())) ordered.push_back(all.size() - 1);
      }
    }
  }

  bool holds() {
    if (ordered.size() < 2) return true;
    happensBefore = relation([&](size_t a, size_t b) { return all[b]->happensBefore.covers(all[a]->id); });
    communication = relation([&](size_t a, size_t b) { return communicates(a, b); });
    makeBase();
    return isAcyclic();
  }

private:
  const Graph &graph;
  std::vector<const Event *> all;
  /// What stands for plain accesses. Each has the place in its thread of the event that follows.
  std::deque<Event> plain;
  /// For each access, the place in modification order of the write that it made or read.
  std::vector<int> places;
  std::vector<size_t> ordered;
  Relation happensBefore, communication, before;

  void addPlainBefore(const Event &event, const std::vector<Event> &events) {
    Event access;
    access.kind = Kind::begin;
    access.id = event.id;
    access.happensBefore = events[event.id.index - 2].happensBefore;
    plain.push_back(access);
    all.push_back(&plain.back());
    places.push_back(-1);
  }

  /// Whether an event happens before all events of other threads, or after them. No cycle comes by such an event: an edge to it
  /// would come from an event that happens after it, or an edge from it lead to one that happens before.
  bool isAlone(const Event &event) const {
    if (event.id.thread == 0 && !hasSpawned(event.id)) return true;
    for (int thread = 0; thread < maximumThreads; thread++)
      if (thread != event.id.thread && event.happensBefore.last[thread] < graph.size(thread)) return false;
    return true;
  }

  /// Whether the first thread started another before its event `id`.
  bool hasSpawned(EventId id) const {
    const auto &events = graph.events(0);
    if (firstSpawn == 0)
      for (firstSpawn = 1; firstSpawn <= graph.size(0); firstSpawn++)
        if (events[firstSpawn - 1].kind == Kind::spawn) break;
    return id.index > firstSpawn;
  }
  mutable int firstSpawn = 0;

  template <typename Test>
  Relation relation(Test test) {
    Relation rows(all.size(), Bits(all.size()));
    for (size_t a = 0; a < all.size(); a++)
      for (size_t b = 0; b < all.size(); b++)
        if (a != b && test(a, b)) rows[a].set(b);
    return rows;
  }

  /// The place of the write that an access made or read.
  int place(const Event &access) const {
    return graph.place(access.kind == Kind::write ? access.id : access.source, access.location);
  }

  /// `eco`: rf, mo, fr and what follows from them.
  bool communicates(size_t a, size_t b) const {
    if (places[a] < 0 || places[b] < 0 || differInLocation(a, b)) return false;
    return places[a] < places[b] ||
           (places[a] == places[b] && all[a]->kind == Kind::write && all[b]->kind == Kind::read);
  }

  /// `mo | fr`.
  bool precedesWrite(size_t a, size_t b) const {
    return places[a] >= 0 && all[b]->kind == Kind::write && !differInLocation(a, b) && a != b && places[a] < places[b];
  }

  bool differInLocation(size_t a, size_t b) const {
    return all[a]->location < 0 || all[b]->location < 0 || all[a]->location != all[b]->location;
  }

  bool inProgramOrder(size_t a, size_t b) const {
    if (all[a]->id.thread != all[b]->id.thread) return false;
    if (all[a]->id == all[b]->id) return all[a]->kind == Kind::begin && a != b;
    return all[a]->id.index < all[b]->id.index;
  }

  /// `scb`.
  void makeBase() {
    before = relation([&](size_t a, size_t b) {
      if (inProgramOrder(a, b)) return true;
      if (!differInLocation(a, b) && all[b]->happensBefore.covers(all[a]->id)) return true;
      return precedesWrite(a, b);
    });
    Relation later = relation([&](size_t a, size_t b) { return inProgramOrder(a, b) && differInLocation(a, b); });
    for (size_t a = 0; a < all.size(); a++) {
      Bits reached(all.size());
      later[a].forEach([&](size_t next) { reached.add(happensBefore[next]); });
      reached.forEach([&](size_t middle) { before[a].add(later[middle]); });
    }
  }

  /// The sequentially consistent events that `psc` puts after one of them.
  std::vector<size_t> successors(size_t from) {
    const bool isFence = all[from]->kind == Kind::fence;
    Bits base = before[from];
    Bits fences(all.size());
    if (isFence) {
      Bits later = happensBefore[from];
      later.forEach([&](size_t next) {
        base.add(before[next]);
        fences.add(communication[next]);
      });
    }
    std::vector<size_t> result;
    for (size_t to : ordered) {
      bool follows = base.contains(to);
      if (!follows && all[to]->kind == Kind::fence) {
        for (size_t middle = 0; middle < all.size() && !follows; middle++)
          follows = (base.contains(middle) || fences.contains(middle)) && happensBefore[middle].contains(to);
        follows = follows || (isFence && happensBefore[from].contains(to));
      }
      if (follows) result.push_back(to);
    }
    return result;
  }

  bool isAcyclic() {
    enum class Mark : uint8_t { unseen, open, done };
    std::vector<Mark> marks(all.size(), Mark::unseen);
    auto visit = [&](auto &self, size_t event) -> bool {
      marks[event] = Mark::open;
      for (size_t next : successors(event)) {
        if (marks[next] == Mark::open) return false;
        if (marks[next] == Mark::unseen && !self(self, next)) return false;
      }
      marks[event] = Mark::done;
      return true;
    };
    for (size_t event : ordered)
      if (marks[event] == Mark::unseen && !visit(visit, event)) return false;
    return true;
  }
};

bool Graph::isSequentiallyConsistent() const { return SequentialConsistency(*this).holds(); }

}  // namespace mm
