#include "RandomWalk.hpp"

#include <algorithm>

#include "Execution.hpp"

namespace mm {

/// SplitMix64.
uint64_t RandomWalk::draw() {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

void RandomWalk::begin(uint64_t execution) {
  state = seed * 0x2545f4914f6cdd1d + execution * 0x632be59bd9b4e019;
  way = static_cast<Way>(execution % 3);
  burst = uint64_t{1} << (1 + draw() % 6);
  step = 0;
  for (uint64_t &priority : priorities) priority = draw() | uint64_t{1} << 63;
  for (uint64_t &change : changes) change = draw() % length;
}

int RandomWalk::nextThread(Execution &, const std::vector<int> &enabled, int running) {
  if (enabled.size() == 1) return enabled.front();
  step++;
  length = std::max(length, step);
  if (way == Way::steps) return enabled[draw(enabled.size())];
  if (way == Way::bursts) {
    bool goesOn = std::find(enabled.begin(), enabled.end(), running) != enabled.end() && draw() % burst != 0;
    return goesOn ? running : enabled[draw(enabled.size())];
  }
  for (int i = 0; i < 3; i++)
    if (step == changes[i] && running >= 0) priorities[running] = static_cast<uint64_t>(i);
  return *std::max_element(enabled.begin(), enabled.end(),
                           [&](int a, int b) { return priorities[a] < priorities[b]; });
}

int RandomWalk::chooseSource(Execution &, const Event &, int, const std::vector<EventId> &sources) {
  return draw(sources.size());
}

int RandomWalk::choosePlace(Execution &execution, EventId write, const std::vector<int> &places) {
  if (places.empty()) return -1;
  int place = draw(places.size());
  if (places[place] == execution.graph.lastPlace(execution.graph.event(write).location)) return place;
  return execution.graph.staysSequentiallyConsistent(write, places[place]) ? place : -1;
}

}  // namespace mm
