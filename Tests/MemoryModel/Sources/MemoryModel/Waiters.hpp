// The threads that wait at one condition variable or futex word, as one value, and what wakes them.
#pragma once

#include <array>

#include "Clock.hpp"
#include "Value.hpp"

namespace mm {

/// A wake of one wakes any of the threads that wait then, and no thread that begins to wait later. Which one, the threads find out
/// among each other: each wake leaves a ticket, good for the threads that waited. The tickets of later wakes are good for more of
/// those that still wait, so a thread takes the oldest that is good for it, and leaves enough for the others.
class Waiters {
public:
  explicit Waiters(Value value) {
    for (size_t i = 0; i < sets.size(); i++) sets[i] = static_cast<Set>(value >> (i * bits));
  }

  Value value() const {
    Value result = 0;
    for (size_t i = 0; i < sets.size(); i++) result |= Value{sets[i]} << (i * bits);
    return result;
  }

  static Value bit(int thread) { return Value{1} << thread; }

  void add(Value thread) { sets[waiting] |= static_cast<Set>(thread); }

  bool isWoken(Value thread) const {
    for (size_t i = woken; i < sets.size(); i++)
      if (sets[i] & thread) return true;
    return false;
  }

  /// The thread was woken, and goes on. What wakes it then wakes no other.
  void take(Value thread) {
    size_t i = woken;
    while (!(sets[i] & thread)) i++;
    if (i != woken) removeTicket(i);
    remove(thread);
  }

  /// The thread goes on without having waited. What could have woken it wakes another that waited then, if there is one.
  void withdraw(Value thread) {
    remove(thread);
    int earlier = 0;
    size_t at = firstTicket;
    for (size_t i = firstTicket; i < sets.size(); i++) {
      if (__builtin_popcount(sets[at]) > earlier) {
        earlier++;
        at++;
      } else {
        removeTicket(at);
      }
    }
  }

  /// False if there is no room for the ticket.
  bool wakeOne() {
    size_t ticket = firstTicket;
    while (ticket < sets.size() && sets[ticket]) ticket++;
    if (static_cast<int>(ticket - firstTicket) >= __builtin_popcount(sets[waiting])) return true;
    if (ticket == sets.size()) return false;
    sets[ticket] = sets[waiting];
    return true;
  }

  void wakeAll() {
    sets[woken] |= sets[waiting];
    sets[waiting] = 0;
    for (size_t i = firstTicket; i < sets.size(); i++) sets[i] = 0;
  }

private:
  using Set = uint16_t;
  static_assert(maximumThreads <= 16);
  static constexpr unsigned bits = 16;
  enum : size_t { waiting, woken, firstTicket };
  /// The threads that wait; those that a wake of all has woken; the threads that each ticket is good for, the oldest ticket first.
  std::array<Set, sizeof(Value) / sizeof(Set)> sets;

  void remove(Value thread) {
    for (Set &set : sets) set &= static_cast<Set>(~thread);
  }

  void removeTicket(size_t at) {
    for (; at + 1 < sets.size(); at++) sets[at] = sets[at + 1];
    sets.back() = 0;
  }
};

}  // namespace mm
