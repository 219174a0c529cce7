#include "Spin.hpp"

#include <unwind.h>

#include <algorithm>

namespace mm {

namespace {

struct Machine {
  uintptr_t site = 0, stackBase = 0;
  uint64_t hash = 1;

  void include(uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
};

// The registers that survive a call, by their DWARF numbers. The others are dead, or hold what these and the stack determine.
#if defined(__x86_64__)
constexpr int keptRegisters[] = {3, 6, 12, 13, 14, 15};
#elif defined(__aarch64__)
constexpr int keptRegisters[] = {19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29};
#else
#error "name the registers that survive a call"
#endif

/// Skips the runtime's own frames, and hashes the frame that made the call and all of its callers.
_Unwind_Reason_Code visit(_Unwind_Context *context, void *argument) {
  auto *machine = static_cast<Machine *>(argument);
  if (_Unwind_GetIP(context) != machine->site) return _URC_NO_REASON;
  for (int number : keptRegisters) machine->include(_Unwind_GetGR(context, number));
  uintptr_t at = _Unwind_GetCFA(context);
  machine->include(at);
  // Four words at once, which do not wait for each other.
  Machine lanes[4];
  for (uint64_t i = 0; i < 4; i++) lanes[i].hash = i;
  for (; at + 32 <= machine->stackBase; at += 32)
    for (int i = 0; i < 4; i++) lanes[i].include(reinterpret_cast<uint64_t *>(at)[i]);
  for (const Machine &lane : lanes) machine->include(lane.hash);
  for (; at < machine->stackBase; at += 8) machine->include(*reinterpret_cast<uint64_t *>(at));
  return _URC_END_OF_STACK;
}

}  // namespace

void SpinHistory::wrote(uintptr_t address, size_t size) {
  // Before the first look there is nothing to compare with.
  if (looks.empty()) return;
  // A turn that writes more than this is work.
  constexpr size_t most = 64;
  std::pair range{address, size};
  if (std::find(written.begin(), written.end(), range) != written.end()) return;
  if (written.size() == most || size > 4096) {
    clear();
    return;
  }
  written.push_back(range);
}

int SpinHistory::look(uintptr_t site, uintptr_t address, int events, uintptr_t stackBase) {
  Machine machine{site, stackBase};
  _Unwind_Backtrace(visit, &machine);
  for (auto [begin, size] : written) {
    machine.include(begin);
    for (size_t i = 0; i < size; i++) machine.include(*reinterpret_cast<const uint8_t *>(begin + i));
  }
  for (size_t i = looks.size(); i > 0; i--) {
    const Look &look = looks[i - 1];
    if (look.site == site && look.address == address && look.state == machine.hash && look.events < events)
      return look.events;
  }
  looks.push_back({site, address, events, machine.hash});
  return -1;
}

}  // namespace mm
