// Which events of each thread come before: a vector clock.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace mm {

constexpr int maximumThreads = 16;

/// An event: its thread, and its place in that thread counted from 1. The store that initialised a location has no thread.
struct EventId {
  int16_t thread = -1;
  uint16_t index = 0;

  bool isInitial() const { return thread < 0; }
  bool operator==(const EventId &) const = default;
};

/// For each thread, the last event that is included. Events of a thread are included in order, so one number is enough.
struct Clock {
  std::array<uint16_t, maximumThreads> last{};

  bool covers(EventId event) const { return event.isInitial() || last[event.thread] >= event.index; }

  void join(const Clock &other) {
    for (int i = 0; i < maximumThreads; i++) last[i] = std::max(last[i], other.last[i]);
  }
};

}  // namespace mm
