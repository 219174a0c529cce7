#include "StaticData.hpp"

#include <link.h>

#include <algorithm>

namespace mm {

void StaticData::add(uintptr_t begin, uintptr_t end) {
  begin &= ~uintptr_t{7};
  end = (end + 7) & ~uintptr_t{7};
  segments.push_back({begin, end, std::vector<uint32_t>((end - begin) / 8)});
}

// `dl_iterate_phdr` reports the program itself first; returning 1 stops there.
void StaticData::find() {
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *context) {
        for (int i = 0; i < info->dlpi_phnum; i++) {
          const auto &header = info->dlpi_phdr[i];
          if (header.p_type == PT_LOAD && (header.p_flags & PF_W)) {
            uintptr_t begin = info->dlpi_addr + header.p_vaddr;
            static_cast<StaticData *>(context)->add(begin, begin + header.p_memsz);
          }
        }
        return 1;
      },
      this);
}

void StaticData::addThreadLocals() {
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *context) {
        for (int i = 0; i < info->dlpi_phnum; i++)
          if (info->dlpi_phdr[i].p_type == PT_TLS && info->dlpi_tls_data) {
            auto begin = reinterpret_cast<uintptr_t>(info->dlpi_tls_data);
            static_cast<StaticData *>(context)->add(begin, begin + info->dlpi_phdr[i].p_memsz);
          }
        return 1;
      },
      this);
}

void StaticData::save(Segment &segment, uintptr_t address, size_t size) {
  uintptr_t end = std::min(address + size, segment.end);
  for (uintptr_t at = std::max(address & ~uintptr_t{7}, segment.begin); at < end; at += 8) {
    uint32_t &savedIn = segment.savedIn[(at - segment.begin) / 8];
    if (savedIn == execution) continue;
    savedIn = execution;
    saved.push_back({at, *reinterpret_cast<uint64_t *>(at)});
  }
}

void StaticData::restore() {
  for (const Word &word : saved) *reinterpret_cast<uint64_t *>(word.address) = word.bytes;
  saved.clear();
  execution++;
}

}  // namespace mm
