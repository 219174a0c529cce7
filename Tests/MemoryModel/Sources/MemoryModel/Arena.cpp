#include "Arena.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace mm {

static constexpr uint64_t living = 0x6c6976696e67, freed = 0x6672656564;

void Arena::reset() {
  if (!isMapped) {
    void *at = mmap(reinterpret_cast<void *>(base), bytesPerThread * threads, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (at != reinterpret_cast<void *>(base)) abort();
    isMapped = true;
  }
  for (int i = 0; i < threads; i++) next[i] = base + bytesPerThread * static_cast<uintptr_t>(i);
}

void *Arena::allocate(int thread, size_t size, size_t alignment) {
  if (alignment < 16) alignment = 16;
  uintptr_t at = (next[thread] + sizeof(Header) + alignment - 1) & ~(alignment - 1);
  uintptr_t end = at + size;
  if (end > base + bytesPerThread * static_cast<uintptr_t>(thread + 1)) return nullptr;
  next[thread] = (end + 15) & ~uintptr_t{15};
  auto *header = reinterpret_cast<Header *>(at - sizeof(Header));
  *header = {living, size};
  // The last execution left its bytes here. Every execution begins with the same ones.
  memset(reinterpret_cast<void *>(at), 0, size);
  return reinterpret_cast<void *>(at);
}

void *Arena::reserve(size_t size) {
  uintptr_t &at = next[threads - 1];
  uintptr_t block = at;
  at += (size + 4095) & ~uintptr_t{4095};
  return at > reservedEnd() ? nullptr : reinterpret_cast<void *>(block);
}

ptrdiff_t Arena::size(const void *block) const {
  auto *header = reinterpret_cast<const Header *>(block) - 1;
  return header->magic == living ? static_cast<ptrdiff_t>(header->size) : -1;
}

bool Arena::release(void *block) {
  auto *header = static_cast<Header *>(block) - 1;
  if (header->magic != living) return false;
  header->magic = freed;
  return true;
}

}  // namespace mm
