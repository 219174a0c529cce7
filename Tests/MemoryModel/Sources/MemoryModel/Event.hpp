// One step of a thread that another thread can notice.
#pragma once

#include <cstdint>
#include <vector>

#include "Clock.hpp"
#include "Value.hpp"
#include "Waiters.hpp"

namespace mm {

/// The orders as compilers pass them to `__tsan_` functions.
enum class Order : uint8_t { relaxed, consume, acquire, release, acquireRelease, sequentiallyConsistent };

inline bool acquires(Order order) { return order != Order::relaxed && order != Order::release; }
inline bool releases(Order order) { return order >= Order::release; }
inline bool isSequentiallyConsistent(Order order) { return order == Order::sequentiallyConsistent; }

enum class Kind : uint8_t { read, write, fence, begin, end, spawn, join, sectionEnd, gracePeriod };

/// What a read demands of the value, and whether a write follows it in the same atomic step.
enum class Rule : uint8_t {
  read,       // Any value; nothing follows.
  always,     // Any value; a write follows.
  equal,      // A write follows if the value is the operand.
  zero,       // A write follows if the value is zero: an exclusive lock.
  shareable,  // A write follows if the value is not negative: a shared lock.
  woken,      // A write follows if the thread in the operand is woken: see `Waiters`.
};

struct Event {
  EventId id;
  Kind kind = Kind::read;
  Rule rule = Rule::read;
  /// The order of the step. A read has `failureOrder` if its rule fails.
  Order order = Order::relaxed;
  Order failureOrder = Order::relaxed;
  /// The thread cannot go on while the rule fails.
  bool waits = false;
  /// The write of a read-modify-write. The event before it in its thread is the read.
  bool exclusive = false;
  /// The thread had accesses before this event, since the one before it, that are no events: plain ones, and those of its own.
  bool followsPlain = false;
  /// The beginning of a read-side section.
  bool sectionBegin = false;
  /// Index into the graph's locations, or -1.
  int32_t location = -1;
  /// When the event joined the graph, relative to the others.
  uint32_t stamp = 0;
  /// What a read read, or a write wrote.
  Value value = 0;
  Value operand = 0;
  /// A read's write; a beginning's spawn; a join's end.
  EventId source;
  /// The ends of sections that a grace period waited for.
  std::vector<EventId> waitedFor;
  /// The instruction after the call, and the stack it was made from (0: not recorded).
  uintptr_t site = 0;
  uint32_t stack = 0;

  /// The events that happen before this one, and itself.
  Clock happensBefore;
  /// The events that this one depends on through program order and reads-from, and itself.
  Clock causes;
  /// For a write: what an acquiring reader learns.
  Clock message;
  /// For a write: the part of `message` that later writes of the same thread to the same location pass on.
  Clock ownMessage;
  /// What relaxed reads read so far would teach an acquire fence.
  Clock pendingAcquire;
  /// What the last release fence covers.
  Clock releaseFence;

  bool succeeds() const {
    switch (rule) {
    case Rule::read:
    case Rule::always: return true;
    case Rule::equal: return value == operand;
    case Rule::zero: return value == 0;
    case Rule::shareable: return static_cast<int64_t>(value) >= 0;
    case Rule::woken: return Waiters(value).isWoken(operand);
    }
    return true;
  }
  /// Whether the write of a read-modify-write must follow.
  bool awaitsWrite() const {
    return kind == Kind::read && rule != Rule::read && succeeds();
  }
  bool blocks() const { return kind == Kind::read && waits && !succeeds(); }
  Order effectiveOrder() const { return kind == Kind::read && !succeeds() ? failureOrder : order; }
  bool isAccess() const { return kind == Kind::read || kind == Kind::write; }
};

}  // namespace mm
