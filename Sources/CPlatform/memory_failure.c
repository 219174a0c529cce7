#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memory_failure.h"

enum { page_bits = 12, unit_bits = 21, spare_mappings = 4 };

// A watched mapping. Nodes are reused and never freed, so the handler walks the list without a lock.
struct watch {
  struct watch *next;
  // The start in units of 2 MiB in the upper half, the number of pages in the lower half. Zero if the node is vacant.
  // One word, so the handler never sees the start of one mapping with the length of another.
  uint64_t range;
  // A bit for each page. It is there for as long as an access to the mapping may be under way.
  uint64_t *failed;
  uint64_t failed_count;
};

uint64_t cp_failed_pages;

static struct watch *watches;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int is_installed;
static struct sigaction previous;
// Mappings that are good for nothing but to be given up, when the process has as many as it may have.
static void *spares[spare_mappings];

static uintptr_t start_of(uint64_t range) { return (uintptr_t)(range >> 32) << unit_bits; }
static size_t pages_of(uint64_t range) { return (size_t)(range & UINT32_MAX); }

// The watch that covers an address, and the page's number in it. Takes no lock: the handler calls it.
static struct watch *find(uintptr_t address, size_t *page) {
  for (struct watch *watch = __atomic_load_n(&watches, __ATOMIC_ACQUIRE); watch; watch = watch->next) {
    uint64_t range = __atomic_load_n(&watch->range, __ATOMIC_ACQUIRE);
    if (range == 0 || address < start_of(range)) continue;
    *page = (address - start_of(range)) >> page_bits;
    if (*page < pages_of(range)) return watch;
  }
  return 0;
}

static void mark(struct watch *watch, size_t word, uint64_t bits) {
  uint64_t before = __atomic_fetch_or(&watch->failed[word], bits, __ATOMIC_SEQ_CST);
  uint64_t added = (uint64_t)__builtin_popcountll(bits & ~before);
  __atomic_fetch_add(&watch->failed_count, added, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&cp_failed_pages, added, __ATOMIC_SEQ_CST);
}

// Maps zeroes over a part of a watched mapping. The bare system call: it is safe in a handler, and no sanitizer wraps
// it.
static int replace(uintptr_t start, size_t bytes) {
  long at = syscall(SYS_mmap, start, bytes, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at == (long)start;
}

// Fills the spares up. Shared mappings of one page each: the kernel does not merge them with their neighbours.
static void keep_spares(void) {
  for (int i = 0; i < spare_mappings; i++) {
    if (__atomic_load_n(&spares[i], __ATOMIC_RELAXED)) continue;
    long at = syscall(SYS_mmap, 0, (size_t)1 << page_bits, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at > 0) __atomic_store_n(&spares[i], (void *)at, __ATOMIC_RELAXED);
  }
}

static void give_spares_up(void) {
  for (int i = 0; i < spare_mappings; i++) {
    void *spare = __atomic_exchange_n(&spares[i], 0, __ATOMIC_RELAXED);
    if (spare) syscall(SYS_munmap, spare, (size_t)1 << page_bits);
  }
}

static int fail_page(uintptr_t address) {
  size_t page;
  struct watch *watch = find(address, &page);
  if (!watch) return 0;
  // ORDERING [mark-then-replace]: the mark and the count before the zeroes.
  mark(watch, page / 64, UINT64_C(1) << (page % 64));
  if (replace(address >> page_bits << page_bits, (size_t)1 << page_bits)) return 1;
  // The process has as many mappings as it may have (vm.max_map_count), and each lost page takes up to two. Give the
  // whole file up: one mapping then takes the place of all. To unmap pages first would leave a hole for other threads
  // to fall in.
  uint64_t range = __atomic_load_n(&watch->range, __ATOMIC_RELAXED);
  for (size_t word = 0; word * 64 < pages_of(range); word++) mark(watch, word, UINT64_MAX);
  give_spares_up();
  int is_replaced = replace(start_of(range), pages_of(range) << page_bits);
  keep_spares();
  return is_replaced;
}

// What the process would have done without this handler.
static void pass_on(int signal, siginfo_t *info, void *context) {
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else if (info->si_code > 0 || previous.sa_handler == SIG_DFL) {
    // The default action ends the process with the right status. An access raises the signal once more. A signal that
    // was sent is sent again, and arrives when the handler returns.
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(signal, &action, 0);
    if (info->si_code <= 0) raise(signal);
  }
}

static void handle(int signal, siginfo_t *info, void *context) {
  int error = errno;
  int is_lost_page = info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR;
  if (!is_lost_page || !fail_page((uintptr_t)info->si_addr)) pass_on(signal, info, context);
  errno = error;
}

int cp_page_failed(const void *address) {
  size_t page;
  struct watch *watch = find((uintptr_t)address, &page);
  return watch && (__atomic_load_n(&watch->failed[page / 64], __ATOMIC_RELAXED) >> (page % 64) & 1);
}

static int install(void) {
  if (is_installed) return 0;
  struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  // Before the handler can run: it may need it at once.
  if (sigaction(SIGBUS, 0, &previous) != 0 || sigaction(SIGBUS, &action, 0) != 0) return -errno;
  keep_spares();
  is_installed = 1;
  return 0;
}

int cp_watch_file_mapping(void *start, size_t bytes) {
  size_t pages = (bytes + ((size_t)1 << page_bits) - 1) >> page_bits;
  // Untouched, the bits of a large file take no memory.
  uint64_t *failed = calloc(pages / 64 + 1, sizeof(uint64_t));
  if (!failed) return -ENOMEM;
  pthread_mutex_lock(&lock);
  int error = install();
  struct watch *watch = watches;
  while (watch && watch->range != 0) watch = watch->next;
  int is_new = !watch;
  if (is_new && error == 0) {
    watch = calloc(1, sizeof(struct watch));
    if (!watch) error = -ENOMEM;
  }
  if (error == 0) {
    watch->failed = failed;
    watch->failed_count = 0;
    __atomic_store_n(&watch->range, (uint64_t)((uintptr_t)start >> unit_bits) << 32 | pages, __ATOMIC_RELEASE);
    if (is_new) {
      watch->next = watches;
      __atomic_store_n(&watches, watch, __ATOMIC_RELEASE);
    }
  }
  pthread_mutex_unlock(&lock);
  if (error != 0) free(failed);
  return error;
}

void cp_unwatch_file_mapping(void *start) {
  pthread_mutex_lock(&lock);
  struct watch *watch = watches;
  while (watch && (watch->range == 0 || start_of(watch->range) != (uintptr_t)start)) watch = watch->next;
  uint64_t *failed = 0;
  if (watch) {
    failed = watch->failed;
    __atomic_store_n(&watch->range, 0, __ATOMIC_RELEASE);
    __atomic_fetch_sub(&cp_failed_pages, watch->failed_count, __ATOMIC_SEQ_CST);
  }
  pthread_mutex_unlock(&lock);
  free(failed);
}
