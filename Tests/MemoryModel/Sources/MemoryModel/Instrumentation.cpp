// What the compiler calls for each access of code that is compiled with `-fsanitize=thread`.
//
// On threads that are not the program's under test the accesses happen at once, unseen.
#include <algorithm>
#include <cstring>

#include "Execution.hpp"
#include "Weakening.hpp"

using namespace mm;

#define SITE reinterpret_cast<uintptr_t>(__builtin_return_address(0))
#define ADDRESS(pointer) reinterpret_cast<uintptr_t>(pointer)

namespace {

/// Whether an access of `address` is the program's under test.
bool isModelled(const volatile void *address) {
  return currentNumber >= 0 && !Execution::shared().caches.contains(ADDRESS(address));
}

inline void plain(const void *address, size_t size, bool isWrite, uintptr_t site) {
  if (isModelled(address) && size > 0) Execution::shared().plain(ADDRESS(address), size, isWrite, site);
}

/// Whether a mutation leaves an access out.
bool skips(Operation operation, uintptr_t site) {
  return Weakening::isActive && Weakening::shared().skips(site, operation);
}

/// An access's order, unless a mutation gives its line another.
Order orderOf(int order, Operation operation, uintptr_t site) {
  if (!Weakening::isActive) return static_cast<Order>(order);
  return Weakening::shared().order(site, operation, static_cast<Order>(order));
}

template <typename T>
T load(const volatile void *address, int order, uintptr_t site) {
  if (!isModelled(address)) return static_cast<T>(readMemory(ADDRESS(address), sizeof(T)));
  return static_cast<T>(Execution::shared().load(ADDRESS(address), sizeof(T), orderOf(order, Operation::load, site), site));
}

template <typename T>
void store(volatile void *address, T value, int order, uintptr_t site) {
  if (isModelled(address) && skips(Operation::store, site)) return;
  if (isModelled(address))
    Execution::shared().store(ADDRESS(address), sizeof(T), value, orderOf(order, Operation::store, site), site);
  else
    writeMemory(ADDRESS(address), sizeof(T), value);
}

template <typename T>
T update(volatile void *address, Rule rule, T expected, T operand, Modification modify, int order, int failureOrder,
         uintptr_t site) {
  if (isModelled(address) && skips(Operation::update, site)) return load<T>(address, order, site);
  if (isModelled(address))
    return static_cast<T>(Execution::shared().update(ADDRESS(address), sizeof(T), rule, expected, operand, modify,
                                                     orderOf(order, Operation::update, site),
                                                     orderOf(failureOrder, Operation::failure, site), site));
  T old = static_cast<T>(readMemory(ADDRESS(address), sizeof(T)));
  if (rule == Rule::always || old == expected) writeMemory(ADDRESS(address), sizeof(T), modify(old, operand));
  return old;
}

Value exchanged(Value, Value operand) { return operand; }
Value added(Value old, Value operand) { return old + operand; }
Value subtracted(Value old, Value operand) { return old - operand; }
Value conjoined(Value old, Value operand) { return old & operand; }
Value disjoined(Value old, Value operand) { return old | operand; }
Value differing(Value old, Value operand) { return old ^ operand; }
Value notBoth(Value old, Value operand) { return ~(old & operand); }

template <typename T>
Value greater(Value old, Value operand) {
  return static_cast<Value>(std::max(static_cast<T>(old), static_cast<T>(operand)));
}
template <typename T>
Value smaller(Value old, Value operand) {
  return static_cast<Value>(std::min(static_cast<T>(old), static_cast<T>(operand)));
}

}  // namespace

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void *caller) {
  if (currentNumber >= 0) Execution::shared().currentThread().calls.push_back(ADDRESS(caller));
}
void __tsan_func_exit() {
  if (currentNumber < 0) return;
  auto &calls = Execution::shared().currentThread().calls;
  if (!calls.empty()) calls.pop_back();
}
void __tsan_ignore_thread_begin() {}
void __tsan_ignore_thread_end() {}
// The edges that annotations add are ThreadSanitizer's substitute for what it cannot see. The model sees what makes them.
void __tsan_acquire(void *) {}
void __tsan_release(void *) {}

#define PLAIN(size)                                                                                       \
  void __tsan_read##size(const void *address) { plain(address, size, false, SITE); }                     \
  void __tsan_write##size(void *address) { plain(address, size, true, SITE); }                           \
  void __tsan_unaligned_read##size(const void *address) { plain(address, size, false, SITE); }           \
  void __tsan_unaligned_write##size(void *address) { plain(address, size, true, SITE); }                 \
  void __tsan_volatile_read##size(const void *address) { plain(address, size, false, SITE); }            \
  void __tsan_volatile_write##size(void *address) { plain(address, size, true, SITE); }                  \
  void __tsan_unaligned_volatile_read##size(const void *address) { plain(address, size, false, SITE); }  \
  void __tsan_unaligned_volatile_write##size(void *address) { plain(address, size, true, SITE); }        \
  void __tsan_read_write##size(void *address) { plain(address, size, true, SITE); }                      \
  void __tsan_unaligned_read_write##size(void *address) { plain(address, size, true, SITE); }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(const void *address, size_t size) { plain(address, size, false, SITE); }
void __tsan_write_range(void *address, size_t size) { plain(address, size, true, SITE); }
void __tsan_vptr_read(const void *address) { plain(address, sizeof(void *), false, SITE); }
void __tsan_vptr_update(void *address, void *) { plain(address, sizeof(void *), true, SITE); }
// Swift's exclusive accesses to variables, which the compiler reports besides the accesses themselves.
void __tsan_external_read(void *, void *, void *) {}
void __tsan_external_write(void *, void *, void *) {}

void *__tsan_memset(void *to, int byte, size_t size) {
  plain(to, size, true, SITE);
  return memset(to, byte, size);
}
void *__tsan_memcpy(void *to, const void *from, size_t size) {
  plain(from, size, false, SITE);
  plain(to, size, true, SITE);
  return memcpy(to, from, size);
}
void *__tsan_memmove(void *to, const void *from, size_t size) {
  plain(from, size, false, SITE);
  plain(to, size, true, SITE);
  return memmove(to, from, size);
}

#define UPDATE(type, bits, name, modification)                                                        \
  type __tsan_atomic##bits##_##name(volatile void *address, type operand, int order) {                \
    return update<type>(address, Rule::always, 0, operand, modification, order, order, SITE);         \
  }
#define ATOMIC(type, bits)                                                                            \
  type __tsan_atomic##bits##_load(const volatile void *address, int order) {                          \
    return load<type>(address, order, SITE);                                                          \
  }                                                                                                   \
  void __tsan_atomic##bits##_store(volatile void *address, type value, int order) {                   \
    store<type>(address, value, order, SITE);                                                         \
  }                                                                                                   \
  UPDATE(type, bits, exchange, exchanged)                                                             \
  UPDATE(type, bits, fetch_add, added)                                                                \
  UPDATE(type, bits, fetch_sub, subtracted)                                                           \
  UPDATE(type, bits, fetch_and, conjoined)                                                            \
  UPDATE(type, bits, fetch_or, disjoined)                                                             \
  UPDATE(type, bits, fetch_xor, differing)                                                            \
  UPDATE(type, bits, fetch_nand, notBoth)                                                             \
  type __tsan_atomic##bits##_compare_exchange_val(volatile void *address, type expected, type value,  \
                                                  int order, int failureOrder) {                      \
    return update<type>(address, Rule::equal, expected, value, exchanged, order, failureOrder, SITE); \
  }                                                                                                   \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile void *address, type *expected,           \
                                                    type value, int order, int failureOrder) {        \
    type old = update<type>(address, Rule::equal, *expected, value, exchanged, order, failureOrder, SITE); \
    bool isSame = old == *expected;                                                                   \
    *expected = old;                                                                                  \
    return isSame;                                                                                    \
  }                                                                                                   \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile void *address, type *expected, type value, \
                                                  int order, int failureOrder) {                      \
    type old = update<type>(address, Rule::equal, *expected, value, exchanged, order, failureOrder, SITE); \
    bool isSame = old == *expected;                                                                   \
    *expected = old;                                                                                  \
    return isSame;                                                                                    \
  }
ATOMIC(uint8_t, 8)
ATOMIC(uint16_t, 16)
ATOMIC(uint32_t, 32)
ATOMIC(uint64_t, 64)
ATOMIC(unsigned __int128, 128)

// The compiler has no calls for these: `instrument_extrema` in `toolchain` makes them.
#define EXTREMA(bits)                                                                                                 \
  uint##bits##_t mm_atomic##bits##_fetch_max(volatile void *address, uint##bits##_t operand, int order) {             \
    return update<uint##bits##_t>(address, Rule::always, 0, operand, greater<int##bits##_t>, order, order, SITE);     \
  }                                                                                                                   \
  uint##bits##_t mm_atomic##bits##_fetch_min(volatile void *address, uint##bits##_t operand, int order) {             \
    return update<uint##bits##_t>(address, Rule::always, 0, operand, smaller<int##bits##_t>, order, order, SITE);     \
  }                                                                                                                   \
  uint##bits##_t mm_atomic##bits##_fetch_umax(volatile void *address, uint##bits##_t operand, int order) {            \
    return update<uint##bits##_t>(address, Rule::always, 0, operand, greater<uint##bits##_t>, order, order, SITE);    \
  }                                                                                                                   \
  uint##bits##_t mm_atomic##bits##_fetch_umin(volatile void *address, uint##bits##_t operand, int order) {            \
    return update<uint##bits##_t>(address, Rule::always, 0, operand, smaller<uint##bits##_t>, order, order, SITE);    \
  }
EXTREMA(8)
EXTREMA(16)
EXTREMA(32)
EXTREMA(64)

void __tsan_atomic_thread_fence(int order) {
  if (currentNumber < 0) return;
  Order limited = orderOf(order, Operation::fence, SITE);
  if (limited != Order::relaxed) Execution::shared().fence(limited, SITE);
}
void __tsan_atomic_signal_fence(int) {}

}  // extern "C"
