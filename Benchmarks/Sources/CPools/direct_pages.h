// Pages of a file by direct I/O, and the words that an access loads and stores.
#pragma once

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <unistd.h>

extern "C" {
#include "CPools.h"
}

namespace pools {

constexpr std::size_t pageSize = 4096;

class DirectPages {
public:
  explicit DirectPages(const char *path) : file(open(path, O_RDWR | O_DIRECT | O_CLOEXEC)) {}
  ~DirectPages() {
    if (file >= 0)
      close(file);
  }
  DirectPages(const DirectPages &) = delete;
  DirectPages &operator=(const DirectPages &) = delete;

  bool isOpen() const { return file >= 0; }

  bool read(uint64_t page, void *bytes) const {
    return retrying([&] { return pread(file, bytes, pageSize, off_t(page * pageSize)); });
  }

  bool write(uint64_t page, const void *bytes) const {
    return retrying([&] { return pwrite(file, bytes, pageSize, off_t(page * pageSize)); });
  }

private:
  template <typename Transfer> static bool retrying(Transfer transfer) {
    ssize_t count;
    do
      count = transfer();
    while (count < 0 && errno == EINTR);
    return count == ssize_t(pageSize);
  }

  const int file;
};

inline uint64_t pageOf(uint32_t draw) { return draw & ~(1u << pool_store_bit); }
inline bool isStore(uint32_t draw) { return draw >> pool_store_bit; }

// Where a page has its number: each in another line, so that the lines of many pages do not share a few places in the
// processor's cache. Stores go to the next word.
inline uint64_t *number(void *bytes, uint64_t page) {
  return reinterpret_cast<uint64_t *>(static_cast<char *>(bytes) + page % 64 * 64);
}
inline bool hasNumber(void *bytes, uint64_t page) {
  return __atomic_load_n(number(bytes, page), __ATOMIC_ACQUIRE) == page;
}
inline void storeWord(void *bytes, uint64_t page, uint64_t value) {
  __atomic_store_n(number(bytes, page) + 1, value, __ATOMIC_RELEASE);
}

} // namespace pools
