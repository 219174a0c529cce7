// A buffer pool as textbooks have it. A miss gives up the mutex while it transfers. Threads that want one of the two
// pages concerned wait for it.
#include <condition_variable>
#include <list>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <unordered_map>

#include "direct_pages.h"

namespace {

using namespace pools;

struct Frame {
  uint64_t page = 0;
  char *bytes = nullptr;
  unsigned fixes = 0;
  bool isDirty = false;
  // Its page is being read or written back.
  bool isBusy = false;
};

using Frames = std::list<Frame>;

class Pool {
public:
  Pool(const char *path, std::size_t limit) : file(path), size(limit * pageSize) {
    void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      throw std::bad_alloc();
    bytes = static_cast<char *>(memory);
    table.reserve(limit);
    for (std::size_t index = 0; index < limit; index++) {
      empty.emplace_back();
      empty.back().bytes = bytes + index * pageSize;
    }
  }
  ~Pool() { munmap(bytes, size); }

  bool isOpen() const { return file.isOpen(); }

  bool access(uint32_t draw) {
    uint64_t page = pageOf(draw);
    Frames::iterator frame;
    if (!fix(page, frame))
      return false;
    bool isRight = hasNumber(frame->bytes, page);
    if (isStore(draw))
      storeWord(frame->bytes, page, draw);
    unfix(frame, isStore(draw));
    return isRight;
  }

  uint64_t misses() {
    std::lock_guard<std::mutex> hold(mutex);
    return reads;
  }

private:
  bool fix(uint64_t page, Frames::iterator &frame) {
    std::unique_lock<std::mutex> hold(mutex);
    while (true) {
      auto found = table.find(page);
      if (found != table.end()) {
        frame = found->second;
        if (frame->isBusy) {
          changed.wait(hold);
          continue;
        }
        if (frame->fixes++ == 0)
          fixed.splice(fixed.begin(), unused, frame);
        return true;
      }
      if (empty.empty()) {
        if (!makeRoom(hold))
          return false;
        // Another thread may have read the page meanwhile.
        continue;
      }
      frame = empty.begin();
      fixed.splice(fixed.begin(), empty, frame);
      frame->page = page;
      frame->fixes = 1;
      return fill(hold, frame);
    }
  }

  bool fill(std::unique_lock<std::mutex> &hold, Frames::iterator frame) {
    table[frame->page] = frame;
    frame->isBusy = true;
    reads++;
    hold.unlock();
    bool isRead = file.read(frame->page, frame->bytes);
    hold.lock();
    frame->isBusy = false;
    if (!isRead) {
      frame->fixes = 0;
      table.erase(frame->page);
      empty.splice(empty.begin(), fixed, frame);
    }
    changed.notify_all();
    return isRead;
  }

  // Takes the page away that was not used for longest. A dirty one is written first.
  bool makeRoom(std::unique_lock<std::mutex> &hold) {
    if (unused.empty()) {
      changed.wait(hold);
      return true;
    }
    auto victim = unused.begin();
    if (victim->isDirty) {
      fixed.splice(fixed.begin(), unused, victim);
      victim->isBusy = true;
      hold.unlock();
      bool isWritten = file.write(victim->page, victim->bytes);
      hold.lock();
      victim->isBusy = false;
      changed.notify_all();
      if (!isWritten) {
        unused.splice(unused.end(), fixed, victim);
        return false;
      }
      victim->isDirty = false;
      table.erase(victim->page);
      empty.splice(empty.begin(), fixed, victim);
    } else {
      table.erase(victim->page);
      empty.splice(empty.begin(), unused, victim);
    }
    return true;
  }

  void unfix(Frames::iterator frame, bool isDirty) {
    std::lock_guard<std::mutex> hold(mutex);
    frame->isDirty |= isDirty;
    if (--frame->fixes > 0)
      return;
    unused.splice(unused.end(), fixed, frame);
    // A thread that found all frames in use waits for one. Waiting is rare, and so is this.
    if (unused.size() == 1)
      changed.notify_all();
  }

  DirectPages file;
  char *bytes;
  std::size_t size;
  std::mutex mutex;
  std::condition_variable changed;
  std::unordered_map<uint64_t, Frames::iterator> table;
  // Every frame is in one of these. `unused` begins with the one that was used least recently.
  Frames unused, fixed, empty;
  uint64_t reads = 0;
};

void *create(const char *path, std::size_t limit) {
  auto *pool = new Pool(path, limit);
  if (pool->isOpen())
    return pool;
  delete pool;
  return nullptr;
}

uint64_t access(void *pool, const uint32_t *draws, std::size_t count) {
  uint64_t failures = 0;
  for (std::size_t index = 0; index < count; index++)
    failures += !static_cast<Pool *>(pool)->access(draws[index]);
  return failures;
}

uint64_t misses(void *pool) { return static_cast<Pool *>(pool)->misses(); }

void destroy(void *pool) { delete static_cast<Pool *>(pool); }

} // namespace

extern "C" const pool_subject pool_textbook = {"textbook", create, access, misses, destroy};
