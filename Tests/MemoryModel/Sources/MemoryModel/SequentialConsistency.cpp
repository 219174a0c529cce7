// RC11's `psc`: the order that sequentially consistent accesses and fences must have, which must not be cyclic.
//
//   scb      = po | po\loc ; hb ; po\loc | hb & loc | mo | fr
//   psc_base = ([SC] | [F & SC] ; hb?) ; scb ; ([SC] | hb? ; [F & SC])
//   psc_F    = [F & SC] ; (hb | hb ; eco ; hb) ; [F & SC]
//
// Only accesses and fences take part; the rest acts through `hb`. They are in a list, thread by thread. What happens after an event is then
// the end of each thread's part, so `hb` is one place for each event and thread. The later an event in its thread, the less happens after
// it: of several events of a thread the first stands for all. The other relations are a row of bits for each event.
//
// Plain accesses are no events. They matter in `po\loc ; hb ; po\loc` alone, and there only between two accesses of one location: beside
// any other event, that event does as well. One stands there for all of them, an access of another location than all.
#include <deque>

#include "Graph.hpp"

namespace mm {

namespace {

/// Rows of bits, each with a bit for each event.
class Relation {
public:
  Relation(size_t rows, size_t count) : stride((count + 63) / 64), words(rows * stride) {}
  void set(size_t row, size_t i) { at(row)[i / 64] |= uint64_t{1} << (i % 64); }
  void clear(size_t row, size_t i) { at(row)[i / 64] &= ~(uint64_t{1} << (i % 64)); }
  bool contains(size_t row, size_t i) const { return at(row)[i / 64] >> (i % 64) & 1; }
  void setRange(size_t row, size_t from, size_t to) {
    for (; from < to && from % 64; from++) set(row, from);
    for (; from + 64 <= to; from += 64) at(row)[from / 64] = ~uint64_t{0};
    for (; from < to; from++) set(row, from);
  }
  void add(size_t row, const Relation &other, size_t otherRow) {
    for (size_t i = 0; i < stride; i++) at(row)[i] |= other.at(otherRow)[i];
  }
  /// The first of a row from `from` on; `to` if there is none before.
  size_t first(size_t row, size_t from, size_t to) const {
    while (from < to) {
      if (uint64_t rest = at(row)[from / 64] >> (from % 64)) return std::min(to, from + static_cast<size_t>(__builtin_ctzll(rest)));
      from = (from / 64 + 1) * 64;
    }
    return to;
  }

private:
  size_t stride;
  std::vector<uint64_t> words;
  uint64_t *at(size_t row) { return words.data() + row * stride; }
  const uint64_t *at(size_t row) const { return words.data() + row * stride; }
};

}  // namespace

class SequentialConsistency {
public:
  /// - Parameter added: an event that the graph has not yet, the next of its thread.
  SequentialConsistency(const Graph &graph, const Event *added) : graph(graph) {
    for (int thread = 0; thread < maximumThreads; thread++) sizes[thread] = graph.size(thread);
    if (added) sizes[added->id.thread]++;
    for (int thread = 0; thread < maximumThreads; thread++) {
      if (sizes[thread] == 0) continue;
      Part part{all.size(), 0};
      const Event *previous = nullptr, *afterPlain = nullptr;
      for (int i = 0; i < sizes[thread]; i++) {
        const Event &event = i < graph.size(thread) ? graph.events(thread)[i] : *added;
        if (event.followsPlain && !event.exclusive) afterPlain = &event;
        if ((!event.isAccess() && event.kind != Kind::fence) || isAlone(event)) continue;
        if (afterPlain && previous && previous->location >= 0 && previous->location == event.location)
          addPlainBefore(*afterPlain, graph.events(thread));
        afterPlain = nullptr;
        previous = &event;
        all.push_back(&event);
        if (!mm::isSequentiallyConsistent(event.effectiveOrder())) continue;
        ordered.push_back(all.size() - 1);
        hasFence = hasFence || event.kind == Kind::fence;
      }
      part.end = all.size();
      if (part.end > part.begin) parts.push_back(part);
    }
  }

  bool holds() {
    if (ordered.size() < 2) return true;
    makeHappensBefore();
    makeLocations();
    makeBase();
    return isAcyclic();
  }

private:
  const Graph &graph;
  int sizes[maximumThreads];
  std::vector<const Event *> all;
  /// What stands for plain accesses. Each has the place in its thread of the event that follows.
  std::deque<Event> plain;
  /// A thread's part of `all`.
  struct Part {
    size_t begin, end;
  };
  std::vector<Part> parts;
  /// The sequentially consistent ones.
  std::vector<size_t> ordered;
  bool hasFence = false;
  /// For each event its part, and for each access the place in modification order of the write that it made or read.
  std::vector<size_t> partOf;
  std::vector<int> places;
  /// For each location its accesses.
  std::vector<std::vector<size_t>> accesses;
  /// For each event and part, the first of the part that happens after the event.
  std::vector<size_t> firstAfter;
  /// `scb`, and `eco`. Then the same from each event and the later ones of its thread.
  Relation before{0, 0}, communication{0, 0}, beforeFrom{0, 0}, communicationFrom{0, 0};

  void addPlainBefore(const Event &event, const std::vector<Event> &events) {
    Event access;
    access.kind = Kind::begin;
    access.id = event.id;
    access.happensBefore = events[event.id.index - 2].happensBefore;
    plain.push_back(access);
    all.push_back(&plain.back());
  }

  /// Whether an event happens before all events of other threads, or after them. No cycle comes by such an event: an edge to it
  /// would come from an event that happens after it, or an edge from it lead to one that happens before.
  bool isAlone(const Event &event) const {
    if (event.id.thread == 0 && !hasSpawned(event.id)) return true;
    for (int thread = 0; thread < maximumThreads; thread++)
      if (thread != event.id.thread && event.happensBefore.last[thread] < sizes[thread]) return false;
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

  size_t &after(size_t event, size_t part) { return firstAfter[event * parts.size() + part]; }

  void makeHappensBefore() {
    partOf.resize(all.size());
    firstAfter.resize(all.size() * parts.size());
    for (size_t own = 0; own < parts.size(); own++)
      for (size_t other = 0; other < parts.size(); other++) {
        size_t next = parts[other].begin;
        for (size_t event = parts[own].begin; event < parts[own].end; event++) {
          partOf[event] = own;
          if (own == other) next = event + 1;
          while (next < parts[other].end && !all[next]->happensBefore.covers(all[event]->id)) next++;
          after(event, other) = next;
        }
      }
  }

  void makeLocations() {
    accesses.resize(graph.locations.size());
    places.assign(all.size(), -1);
    for (size_t event = 0; event < all.size(); event++) {
      if (!all[event]->isAccess()) continue;
      accesses[all[event]->location].push_back(event);
      places[event] = graph.place(all[event]->kind == Kind::write ? all[event]->id : all[event]->source, all[event]->location);
    }
  }

  const std::vector<size_t> &sameLocation(size_t event) const {
    static const std::vector<size_t> none;
    return all[event]->isAccess() ? accesses[all[event]->location] : none;
  }

  /// `eco`: rf, mo, fr and what follows from them.
  bool communicates(size_t a, size_t b) const {
    if (places[a] < 0 || places[b] < 0) return false;
    return places[a] < places[b] ||
           (places[a] == places[b] && all[a]->kind == Kind::write && all[b]->kind == Kind::read);
  }

  /// From each event and the later ones of its thread.
  Relation fromHereOn(const Relation &relation) const {
    Relation result(all.size(), all.size());
    for (const Part &part : parts)
      for (size_t event = part.end; event-- > part.begin;) {
        result.add(event, relation, event);
        if (event + 1 < part.end) result.add(event, result, event + 1);
      }
    return result;
  }

  void makeBase() {
    // `po\loc`.
    Relation later(all.size(), all.size());
    for (size_t event = 0; event < all.size(); event++) {
      later.setRange(event, event + 1, parts[partOf[event]].end);
      for (size_t other : sameLocation(event)) later.clear(event, other);
    }
    Relation laterFrom = fromHereOn(later);
    before = Relation(all.size(), all.size());
    for (size_t event = 0; event < all.size(); event++) {
      const Part &part = parts[partOf[event]];
      before.setRange(event, event + 1, part.end);
      for (size_t other : sameLocation(event)) {
        bool isMoOrFr = places[event] >= 0 && all[other]->kind == Kind::write && places[event] < places[other];
        if (other != event && (isMoOrFr || other >= after(event, partOf[other]))) before.set(event, other);
      }
      size_t next = later.first(event, event + 1, part.end);
      if (next == part.end) continue;
      for (size_t other = 0; other < parts.size(); other++)
        if (size_t middle = after(next, other); middle < parts[other].end) before.add(event, laterFrom, middle);
    }
    if (!hasFence) return;
    communication = Relation(all.size(), all.size());
    for (size_t event = 0; event < all.size(); event++)
      for (size_t other : sameLocation(event))
        if (communicates(event, other)) communication.set(event, other);
    beforeFrom = fromHereOn(before);
    communicationFrom = fromHereOn(communication);
  }

  /// The sequentially consistent events that `psc` puts after one of them.
  std::vector<size_t> successors(size_t from) {
    const bool isFence = all[from]->kind == Kind::fence;
    // The first row is `psc_base` without its last step, the second has `hb ; eco` besides.
    Relation reached(2, all.size());
    constexpr size_t base = 0, withFences = 1;
    reached.add(base, before, from);
    for (size_t part = 0; isFence && part < parts.size(); part++)
      if (size_t first = after(from, part); first < parts[part].end) {
        reached.add(base, beforeFrom, first);
        reached.add(withFences, communicationFrom, first);
      }
    reached.add(withFences, reached, base);
    std::vector<size_t> result;
    for (size_t to : ordered) {
      bool follows = reached.contains(base, to);
      if (!follows && all[to]->kind == Kind::fence) {
        for (size_t part = 0; part < parts.size() && !follows; part++) {
          size_t middle = reached.first(withFences, parts[part].begin, parts[part].end);
          follows = middle < parts[part].end && after(middle, partOf[to]) <= to;
        }
        follows = follows || (isFence && after(from, partOf[to]) <= to);
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

bool Graph::isSequentiallyConsistent() const { return SequentialConsistency(*this, nullptr).holds(); }

bool Graph::staysSequentiallyConsistent(Event event, int thread) const {
  complete(event, thread);
  return SequentialConsistency(*this, &event).holds();
}

bool Graph::staysSequentiallyConsistent(EventId write, int place) {
  put(write, place);
  bool result = isSequentiallyConsistent();
  takeOut(write, place);
  return result;
}

}  // namespace mm
