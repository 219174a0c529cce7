// oneTBB's concurrent_hash_map from page number to a count, which an accessor protects while it is looked up.
//
// Left out where the machine has no oneTBB: the package's manifest looks for its headers.
extern "C" {
#include "CFloor.h"
#include "random.h"
}

#ifdef HAVE_TBB
#include <atomic>
#include <cstdint>

#include <tbb/concurrent_hash_map.h>

namespace {

struct Frame {
  std::atomic<uint64_t> count{1};
};

struct Hash {
  static std::size_t hash(uint64_t page) {
    uint64_t mixed = page * 0x9e3779b97f4a7c15ull;
    return mixed ^ (mixed >> 32);
  }
  static bool equal(uint64_t left, uint64_t right) { return left == right; }
};

using Map = tbb::concurrent_hash_map<uint64_t, Frame *, Hash>;

struct Space {
  Map map;
  Frame *frames;
  std::size_t pages;
};

inline Frame *pin(Space &space, uint64_t page) {
  Map::const_accessor found;
  if (!space.map.find(found, page))
    return nullptr;
  Frame *frame = found->second;
  frame->count.fetch_add(1);
  return frame;
}

void *create(std::size_t pages) {
  auto *space = new Space{Map(pages), new Frame[pages], pages};
  for (std::size_t page = 0; page < pages; page++)
    space->map.insert({page, &space->frames[page]});
  return space;
}

uint64_t loop(void *context, floor_work *work, uint64_t iterations) {
  auto &space = *static_cast<Space *>(context);
  uint64_t state = work->state, failures = 0;
  for (uint64_t i = 0; i < iterations; i++) {
    Frame *frame = pin(space, work->first + random_below(&state, work->span));
    if (frame)
      frame->count.fetch_sub(1);
    else
      failures++;
  }
  work->state = state;
  return failures;
}

uint64_t rangeLoop(void *context, floor_work *work, uint64_t iterations) {
  auto &space = *static_cast<Space *>(context);
  Frame *held[floor_range];
  uint64_t failures = 0;
  for (uint64_t i = 0; i < iterations; i++) {
    uint64_t page = work->first + random_below(&work->state, work->span - floor_range + 1);
    int pinned = 0;
    while (pinned < floor_range && (held[pinned] = pin(space, page + pinned)))
      pinned++;
    failures += floor_range - pinned;
    while (pinned > 0)
      held[--pinned]->count.fetch_sub(1);
  }
  return failures;
}

uint64_t leaks(void *context) {
  auto &space = *static_cast<Space *>(context);
  uint64_t held = 0;
  for (std::size_t page = 0; page < space.pages; page++)
    held += space.frames[page].count.load() - 1;
  return held;
}

void destroy(void *context) {
  auto *space = static_cast<Space *>(context);
  delete[] space->frames;
  delete space;
}

} // namespace

extern "C" const floor_subject floor_tbb = {"tbb", create, loop, rangeLoop, leaks, destroy};
#else

static void *create(size_t) { return nullptr; }

extern "C" const floor_subject floor_tbb = {"tbb", create, nullptr, nullptr, nullptr, nullptr};
#endif
