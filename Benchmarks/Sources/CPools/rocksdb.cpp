// RocksDB's block cache: sharded, in the order of use, its entries counted while a thread has a handle.
//
// Left out where the machine has no RocksDB: the package's manifest looks for its headers.
extern "C" {
#include "CPools.h"
}

#ifdef HAVE_ROCKSDB
#include <atomic>
#include <memory>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <vector>

#include <rocksdb/cache.h>

#include "direct_pages.h"

namespace {

using namespace pools;

// Pages from one mapping: a page from `malloc` would take two.
class Pages {
public:
  // A few more than the cache holds: a page is read before another one goes.
  explicit Pages(std::size_t limit) : size((limit + 1024) * pageSize) {
    void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      throw std::bad_alloc();
    bytes = static_cast<char *>(memory);
    for (std::size_t offset = size; offset > 0; offset -= pageSize)
      unused.push_back(bytes + offset - pageSize);
  }
  ~Pages() { munmap(bytes, size); }

  void *take() {
    std::lock_guard<std::mutex> hold(mutex);
    if (unused.empty())
      return nullptr;
    void *page = unused.back();
    unused.pop_back();
    return page;
  }

  void put(void *page) {
    std::lock_guard<std::mutex> hold(mutex);
    unused.push_back(page);
  }

private:
  std::size_t size;
  char *bytes;
  std::mutex mutex;
  std::vector<void *> unused;
};

// What the cache keeps: a page, and where it goes.
struct Entry {
  Pages *pages;
  void *bytes;
};

void end(const rocksdb::Slice &, void *value) {
  auto *entry = static_cast<Entry *>(value);
  entry->pages->put(entry->bytes);
  delete entry;
}

struct Pool {
  Pool(const char *path, std::size_t limit)
      : file(path), pages(limit),
        cache(rocksdb::NewLRUCache(limit * pageSize, -1, false, 0.5, nullptr, rocksdb::kDefaultToAdaptiveMutex,
                                   rocksdb::kDontChargeCacheMetadata)) {}

  rocksdb::Cache::Handle *get(uint64_t page) {
    rocksdb::Slice key(reinterpret_cast<const char *>(&page), sizeof page);
    if (auto *found = cache->Lookup(key))
      return found;
    void *bytes = pages.take();
    if (!bytes)
      return nullptr;
    reads.fetch_add(1, std::memory_order_relaxed);
    rocksdb::Cache::Handle *handle = nullptr;
    auto *entry = new Entry{&pages, bytes};
    if (file.read(page, bytes) && cache->Insert(key, entry, pageSize, end, &handle).ok())
      return handle;
    end(key, entry);
    return nullptr;
  }

  bool access(uint32_t draw) {
    uint64_t page = pageOf(draw);
    auto *handle = get(page);
    if (!handle)
      return false;
    void *bytes = static_cast<Entry *>(cache->Value(handle))->bytes;
    bool isRight = hasNumber(bytes, page);
    if (isStore(draw)) {
      storeWord(bytes, page, draw);
      isRight = file.write(page, bytes) && isRight;
    }
    cache->Release(handle);
    return isRight;
  }

  DirectPages file;
  Pages pages;
  std::shared_ptr<rocksdb::Cache> cache;
  std::atomic<uint64_t> reads{0};
};

void *create(const char *path, std::size_t limit) {
  auto *pool = new Pool(path, limit);
  if (pool->file.isOpen())
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

uint64_t misses(void *pool) { return static_cast<Pool *>(pool)->reads.load(std::memory_order_relaxed); }

void destroy(void *pool) { delete static_cast<Pool *>(pool); }

} // namespace

extern "C" const pool_subject pool_rocksdb = {"rocksdb", create, access, misses, destroy};
#else

static void *create(const char *, size_t) { return nullptr; }

extern "C" const pool_subject pool_rocksdb = {"rocksdb", create, nullptr, nullptr, nullptr};
#endif
