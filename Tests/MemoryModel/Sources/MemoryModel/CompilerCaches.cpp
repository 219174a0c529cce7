#include "CompilerCaches.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace mm {

/// The mangled suffixes: type metadata, metadata by demangling, witness tables.
static bool isCacheName(const char *name) {
  size_t length = strlen(name);
  if (strncmp(name, "$s", 2) != 0 || length < 4) return false;
  const char *suffix = name + length - 2;
  return strcmp(suffix, "ML") == 0 || strcmp(suffix, "MD") == 0 || strcmp(suffix, "WL") == 0;
}

void CompilerCaches::find() {
  if (void *storage = dlsym(RTLD_DEFAULT, "_swiftEmptyArrayStorage")) emptyArray = reinterpret_cast<uintptr_t>(storage);
  uintptr_t loadAddress = 0;
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *context) {
        *static_cast<uintptr_t *>(context) = info->dlpi_addr;
        return 1;
      },
      &loadAddress);
  int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) return;
  auto size = static_cast<size_t>(status.st_size);
  void *bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (bytes == MAP_FAILED) return;
  auto *begin = static_cast<const char *>(bytes);
  auto *header = reinterpret_cast<const ElfW(Ehdr) *>(begin);
  auto *sections = reinterpret_cast<const ElfW(Shdr) *>(begin + header->e_shoff);
  for (int i = 0; i < header->e_shnum; i++) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    auto *symbols = reinterpret_cast<const ElfW(Sym) *>(begin + sections[i].sh_offset);
    const char *names = begin + sections[sections[i].sh_link].sh_offset;
    for (size_t s = 0; s < sections[i].sh_size / sizeof *symbols; s++) {
      const ElfW(Sym) &symbol = symbols[s];
      if ((symbol.st_info & 0xf) != STT_OBJECT || symbol.st_size == 0 || !isCacheName(names + symbol.st_name)) continue;
      ranges.emplace_back(loadAddress + symbol.st_value, loadAddress + symbol.st_value + symbol.st_size);
    }
  }
  munmap(bytes, size);
  std::sort(ranges.begin(), ranges.end());
  if (ranges.empty()) return;
  this->begin = ranges.front().first;
  this->size = ranges.back().second - this->begin;
}

bool CompilerCaches::search(uintptr_t address) const {
  auto after = std::upper_bound(ranges.begin(), ranges.end(), address,
                                [](uintptr_t wanted, const auto &range) { return wanted < range.first; });
  return after != ranges.begin() && address < std::prev(after)->second;
}

}  // namespace mm
