// What the program under test calls in the C library, modelled.
//
// In the program's own objects each such call is renamed, `malloc` to `mm_malloc`. The Swift runtime and the C library keep theirs.
// The allocator alone is replaced in all of the process, since the Swift runtime allocates and frees on behalf of the program.
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "Execution.hpp"

using namespace mm;

#define SITE reinterpret_cast<uintptr_t>(__builtin_return_address(0))
#define ADDRESS(pointer) reinterpret_cast<uintptr_t>(pointer)

namespace {

bool isModelled() { return currentNumber >= 0; }
Execution &execution() { return Execution::shared(); }

Value replaced(Value, Value operand) { return operand; }
Value added(Value old, Value operand) { return old + operand; }

template <typename Function>
Function original(const char *name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// A lock's word: 0 free, -1 held for writing, otherwise the number of readers.
constexpr Value writer = ~uint64_t{0};

/// Changes a lock's word, if it can be or once it can be.
Value updateLock(void *at, Rule rule, Value operand, Modification modify, Order order, bool waits, uintptr_t site) {
  Value old = execution().updateModelled(Space::lock, ADDRESS(at), rule, 0, operand, modify, order, waits, site);
  execution().noteModelled(ADDRESS(at), site);
  return old;
}

void lock(void *at, uintptr_t site) { updateLock(at, Rule::zero, writer, replaced, Order::acquire, true, site); }
bool tryLock(void *at, uintptr_t site) {
  return updateLock(at, Rule::zero, writer, replaced, Order::acquire, false, site) == 0;
}

Value released(Value old, Value) { return old == writer ? 0 : old - 1; }

void unlock(void *at, uintptr_t site) {
  Value old = updateLock(at, Rule::always, 0, released, Order::acquireRelease, false, site);
  if (old == 0) execution().fail("unlocked a lock that is not held", {execution().placeHere("here", site)});
}

/// Changes the threads that wait at `at`.
Value updateWaiters(void *at, Rule rule, Value operand, Modification modify, Order order, bool waits, uintptr_t site) {
  return execution().updateModelled(Space::waiters, ADDRESS(at), rule, operand, operand, modify, order, waits, site);
}

template <void (Waiters::*change)(Value)>
Value changed(Value old, Value thread) {
  Waiters waiters(old);
  (waiters.*change)(thread);
  return waiters.value();
}

/// The thread waits at `at` from here on, though it goes on until `awaitWake`.
void beginWait(void *at, uintptr_t site) {
  updateWaiters(at, Rule::always, Waiters::bit(currentNumber), changed<&Waiters::add>, Order::acquire, false, site);
}
void awaitWake(void *at, uintptr_t site) {
  updateWaiters(at, Rule::woken, Waiters::bit(currentNumber), changed<&Waiters::take>, Order::acquire, true, site);
}
void withdraw(void *at, uintptr_t site) {
  updateWaiters(at, Rule::always, Waiters::bit(currentNumber), changed<&Waiters::withdraw>, Order::relaxed, false, site);
}

/// Wakes so many threads that wait, at most.
void wake(void *at, int count, uintptr_t site) {
  Modification modify = [](Value old, Value count) {
    Waiters waiters(old);
    if (count >= maximumThreads) {
      waiters.wakeAll();
      return waiters.value();
    }
    for (Value i = 0; i < count; i++)
      if (!waiters.wakeOne()) execution().fail("too many wakes that the threads have not noticed yet", {});
    return waiters.value();
  };
  Value most = static_cast<Value>(std::clamp(count, 0, maximumThreads));
  updateWaiters(at, Rule::always, most, modify, Order::acquireRelease, false, site);
}

}  // namespace

extern "C" {

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

// Memory

/// A block that a thread of the program allocated is never used again in that execution; any other is the C library's.
void free(void *block) {
  if (!Arena::contains(block)) {
    __libc_free(block);
  } else if (isModelled()) {
    execution().release(block, SITE);
  }
}

/// Swift's arrays ask it for their capacity. The C library would read the header of a block of its own.
size_t malloc_usable_size(void *block) {
  if (Arena::contains(block)) return static_cast<size_t>(execution().arena.size(block));
  static auto call = original<size_t (*)(void *)>("malloc_usable_size");
  return call(block);
}

// Set while the Swift runtime allocates for the program.
static thread_local bool allocatesForProgram = false;

void *malloc(size_t size) { return allocatesForProgram ? execution().allocate(size, 16) : __libc_malloc(size); }
int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = allocatesForProgram ? execution().allocate(size, alignment) : __libc_memalign(alignment, size);
  return *block ? 0 : ENOMEM;
}
void *aligned_alloc(size_t alignment, size_t size) {
  return allocatesForProgram ? execution().allocate(size, alignment) : __libc_memalign(alignment, size);
}

void *mm_malloc(size_t size) { return isModelled() ? execution().allocate(size, 16) : __libc_malloc(size); }
void *mm_calloc(size_t count, size_t size) {
  return isModelled() ? execution().allocate(count * size, 16) : __libc_calloc(count, size);
}
void *mm_realloc(void *old, size_t size) {
  if (!isModelled() || (old && !Arena::contains(old))) return __libc_realloc(old, size);
  void *block = execution().allocate(size, 16);
  if (!old) return block;
  ptrdiff_t oldSize = execution().arena.size(old);
  if (oldSize > 0) memcpy(block, old, std::min(size, static_cast<size_t>(oldSize)));
  execution().release(old, SITE);
  return block;
}
void *mm_aligned_alloc(size_t alignment, size_t size) {
  return isModelled() ? execution().allocate(size, alignment) : __libc_memalign(alignment, size);
}
int mm_posix_memalign(void **block, size_t alignment, size_t size) {
  *block = isModelled() ? execution().allocate(size, alignment) : __libc_memalign(alignment, size);
  return *block ? 0 : ENOMEM;
}

/// For the overlay of the library's C wrappers: what it would map.
void *mm_reserve(size_t size) { return isModelled() ? execution().reserve(size) : nullptr; }

// The Swift runtime's allocations on behalf of the program. What it allocates for itself, metadata above all, outlives executions.

void *mm_swift_slowAlloc(size_t size, size_t alignmentMask) {
  static auto call = original<void *(*)(size_t, size_t)>("swift_slowAlloc");
  allocatesForProgram = isModelled();
  void *block = call(size, alignmentMask);
  allocatesForProgram = false;
  return block;
}
void *mm_swift_allocObject(const void *metadata, size_t size, size_t alignmentMask) {
  static auto call = original<void *(*)(const void *, size_t, size_t)>("swift_allocObject");
  allocatesForProgram = isModelled();
  void *object = call(metadata, size, alignmentMask);
  allocatesForProgram = false;
  return object;
}

/// The token is never marked as used: each call comes here, and finds out by the lock whether another thread was first.
void mm_swift_once(void *token, void (*body)(void *), void *context) {
  static auto call = original<void (*)(void *, void (*)(void *), void *)>("swift_once");
  if (!isModelled()) {
    call(token, body, context);
    return;
  }
  execution().once(ADDRESS(token), body, context, SITE);
}

// Swift's check of exclusive access keeps a list in the thread's stack. A thread that is abandoned in the middle of an execution would
// leave it behind for the next one. So the check is left out.
void mm_swift_beginAccess(void *, void *, uintptr_t, void *) {}
void mm_swift_endAccess(void *) {}

// Threads

namespace {

struct Started {
  void *(*body)(void *);
  void *argument, *result;
  static void run(void *started) {
    auto *self = static_cast<Started *>(started);
    self->result = self->body(self->argument);
  }
};

}  // namespace

int mm_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  if (!isModelled()) return pthread_create(thread, attributes, body, argument);
  auto *started = static_cast<Started *>(execution().allocate(sizeof(Started), 16));
  *started = {body, argument, nullptr};
  *thread = static_cast<pthread_t>(execution().spawn(Started::run, started, SITE));
  return 0;
}
int mm_pthread_join(pthread_t thread, void **result) {
  if (!isModelled()) return pthread_join(thread, result);
  int number = static_cast<int>(thread);
  execution().join(number, SITE);
  if (result) *result = static_cast<Started *>(execution().thread(number).argument)->result;
  return 0;
}

int mm_sched_yield(void) { return 0; }
int mm_usleep(unsigned) { return 0; }
int mm_nanosleep(const struct timespec *, struct timespec *) { return 0; }

// Locks

int mm_pthread_mutex_lock(pthread_mutex_t *mutex) {
  if (!isModelled()) return pthread_mutex_lock(mutex);
  lock(mutex, SITE);
  return 0;
}
int mm_pthread_mutex_trylock(pthread_mutex_t *mutex) {
  if (!isModelled()) return pthread_mutex_trylock(mutex);
  return tryLock(mutex, SITE) ? 0 : EBUSY;
}
int mm_pthread_mutex_unlock(pthread_mutex_t *mutex) {
  if (!isModelled()) return pthread_mutex_unlock(mutex);
  unlock(mutex, SITE);
  return 0;
}

int mm_pthread_rwlock_rdlock(pthread_rwlock_t *rwlock) {
  if (!isModelled()) return pthread_rwlock_rdlock(rwlock);
  updateLock(rwlock, Rule::shareable, 1, added, Order::acquire, true, SITE);
  return 0;
}
int mm_pthread_rwlock_tryrdlock(pthread_rwlock_t *rwlock) {
  if (!isModelled()) return pthread_rwlock_tryrdlock(rwlock);
  Value old = updateLock(rwlock, Rule::shareable, 1, added, Order::acquire, false, SITE);
  return static_cast<int64_t>(old) >= 0 ? 0 : EBUSY;
}
int mm_pthread_rwlock_wrlock(pthread_rwlock_t *rwlock) {
  if (!isModelled()) return pthread_rwlock_wrlock(rwlock);
  lock(rwlock, SITE);
  return 0;
}
int mm_pthread_rwlock_trywrlock(pthread_rwlock_t *rwlock) {
  if (!isModelled()) return pthread_rwlock_trywrlock(rwlock);
  return tryLock(rwlock, SITE) ? 0 : EBUSY;
}
int mm_pthread_rwlock_unlock(pthread_rwlock_t *rwlock) {
  if (!isModelled()) return pthread_rwlock_unlock(rwlock);
  unlock(rwlock, SITE);
  return 0;
}

int mm_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
  if (!isModelled()) return pthread_cond_wait(condition, mutex);
  beginWait(condition, SITE);
  execution().noteModelled(ADDRESS(condition), SITE);
  unlock(mutex, SITE);
  awaitWake(condition, SITE);
  execution().noteModelled(ADDRESS(condition), SITE);
  lock(mutex, SITE);
  return 0;
}
int mm_pthread_cond_signal(pthread_cond_t *condition) {
  if (!isModelled()) return pthread_cond_signal(condition);
  wake(condition, 1, SITE);
  execution().noteModelled(ADDRESS(condition), SITE);
  return 0;
}
int mm_pthread_cond_broadcast(pthread_cond_t *condition) {
  if (!isModelled()) return pthread_cond_broadcast(condition);
  wake(condition, maximumThreads, SITE);
  execution().noteModelled(ADDRESS(condition), SITE);
  return 0;
}

// Waiting on a word, as `futex` does. For the overlay of the library's C wrappers.

/// The kernel compares the word and begins to wait in one step: a wake comes before it, and then what was stored before the wake is
/// seen, or after it.
void mm_futex_wait(uint32_t *word, uint32_t expected) {
  if (!isModelled()) return;
  beginWait(word, SITE);
  if (execution().load(ADDRESS(word), 4, Order::relaxed, SITE) == expected)
    awaitWake(word, SITE);
  else
    withdraw(word, SITE);
}
/// Only the address counts: the word may be freed already.
void mm_futex_wake(uint32_t *word, int count) {
  if (isModelled()) wake(word, count, SITE);
}

int mm_thread(void) { return isModelled() ? currentNumber : 0; }
int mm_rcu_read_ongoing(void) { return isModelled() && execution().currentThread().sectionDepth > 0; }

// Values of a thread

int mm_pthread_key_create(pthread_key_t *key, void (*destructor)(void *)) {
  if (!isModelled()) return pthread_key_create(key, destructor);
  *key = execution().makeKey(destructor);
  return 0;
}
int mm_pthread_setspecific(pthread_key_t key, const void *value) {
  if (!isModelled()) return pthread_setspecific(key, value);
  execution().currentThread().specific[key] = const_cast<void *>(value);
  return 0;
}
void *mm_pthread_getspecific(pthread_key_t key) {
  if (!isModelled()) return pthread_getspecific(key);
  return execution().currentThread().specific[key];
}
int mm_pthread_once(pthread_once_t *once, void (*body)(void)) {
  if (!isModelled()) return pthread_once(once, body);
  execution().once(
      ADDRESS(once), [](void *context) { reinterpret_cast<void (*)()>(context)(); }, reinterpret_cast<void *>(body),
      SITE);
  return 0;
}

}  // extern "C"
