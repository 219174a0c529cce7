// RC11's `psc`: the order that sequentially consistent accesses and fences must have, which must not be cyclic.
//
//   scb      = po | po\loc ; hb ; po\loc | hb & loc | mo | fr
//   psc_base = ([SC] | [F & SC] ; hb?) ; scb ; ([SC] | hb? ; [F & SC])
//   psc_F    = [F & SC] ; (hb | hb ; eco ; hb) ; [F & SC]
//
// A relation is a row of bits for each event. Only accesses and fences take part; the rest acts through `hb`.
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
    for (const auto &events : graph.threads)
      for (const Event &event : events) {
        if (event.isAccess() || event.kind == Kind::fence) all.push_back(&event);
        if (mm::isSequentiallyConsistent(event.effectiveOrder()) && (event.isAccess() || event.kind == Kind::fence))
          ordered.push_back(all.size() - 1);
      }
  }

  bool holds() {
    if (ordered.size() < 2) return true;
    happensBefore = relation([&](const Event &a, const Event &b) { return b.happensBefore.covers(a.id); });
    communication = relation([&](const Event &a, const Event &b) { return communicates(a, b); });
    makeBase();
    return isAcyclic();
  }

private:
  const Graph &graph;
  std::vector<const Event *> all;
  std::vector<size_t> ordered;
  Relation happensBefore, communication, before;

  template <typename Test>
  Relation relation(Test test) {
    Relation rows(all.size(), Bits(all.size()));
    for (size_t a = 0; a < all.size(); a++)
      for (size_t b = 0; b < all.size(); b++)
        if (a != b && test(*all[a], *all[b])) rows[a].set(b);
    return rows;
  }

  /// The place of the write that an access made or read.
  int place(const Event &access) const {
    return graph.place(access.kind == Kind::write ? access.id : access.source, access.location);
  }

  /// `eco`: rf, mo, fr and what follows from them.
  bool communicates(const Event &a, const Event &b) const {
    if (!a.isAccess() || !b.isAccess() || a.location != b.location) return false;
    int from = place(a), to = place(b);
    return from < to || (from == to && a.kind == Kind::write && b.kind == Kind::read);
  }

  /// `mo | fr`.
  bool precedesWrite(const Event &a, const Event &b) const {
    return a.isAccess() && b.kind == Kind::write && a.location == b.location && a.id != b.id && place(a) < place(b);
  }

  static bool differInLocation(const Event &a, const Event &b) {
    return a.location < 0 || b.location < 0 || a.location != b.location;
  }

  /// `scb`.
  void makeBase() {
    before = relation([&](const Event &a, const Event &b) {
      if (a.id.thread == b.id.thread && a.id.index < b.id.index) return true;
      if (!differInLocation(a, b) && b.happensBefore.covers(a.id)) return true;
      return precedesWrite(a, b);
    });
    for (size_t a = 0; a < all.size(); a++) {
      Bits reached(all.size());
      for (size_t next = a + 1; next < all.size() && all[next]->id.thread == all[a]->id.thread; next++)
        if (differInLocation(*all[a], *all[next])) reached.add(happensBefore[next]);
      reached.forEach([&](size_t middle) {
        for (size_t b = middle + 1; b < all.size() && all[b]->id.thread == all[middle]->id.thread; b++)
          if (differInLocation(*all[middle], *all[b])) before[a].set(b);
      });
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
