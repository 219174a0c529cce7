// Read-side sections that a grace period waits for too long: a report instead of a program that stands still.
#ifndef CPLATFORM_LONG_SECTIONS_H
#define CPLATFORM_LONG_SECTIONS_H

#include <stdint.h>

/// Lists the calling thread, a reader that liburcu has just registered, until the thread ends.
void cp_list_reader(void);

/// Nanoseconds that a grace period waits for a section before it is reported. 0 reports none.
uint64_t cp_long_section_limit(void);
void cp_set_long_section_limit(uint64_t nanoseconds);

/// Calls `handler` for each long section, on the watching thread. A line goes to standard error without a handler, or
/// if it returns 0.
///
/// It gets the number that the kernel gives the thread, and how long the grace period has waited.
void cp_on_long_section(int (*handler)(int32_t thread, uint64_t nanoseconds));

/// What grace periods and the watching thread know of each other. It has a cache line of its own, because each grace
/// period writes it.
struct cp_grace_watch {
  /// Odd while a grace period is under way. Grace periods come one at a time.
  uint64_t periods;
  /// Whether a thread watches grace periods.
  int is_watching;
  /// Threads that are listed as readers.
  int readers;
} __attribute__((aligned(64)));

extern struct cp_grace_watch cp_grace_watch;

/// Starts the watching thread, unless there is one, or the calling thread is the only reader, or no section is to be
/// reported. The calling thread runs a grace period.
void cp_watch_grace_period(void);

/// A grace period begins. It costs an addition and a load, and now and then the start of a thread.
///
/// ORDERING [begin-then-watch]: the count grows, then the flag is read. The watching thread clears the flag, then reads
/// the count. So a grace period starts a thread, or the thread that wanted to end sees it. A new reader and a new limit
/// are written before the count is read, too.
static inline void cp_begin_grace_period(void) {
  __atomic_add_fetch(&cp_grace_watch.periods, 1, __ATOMIC_SEQ_CST);
  if (__builtin_expect(!__atomic_load_n(&cp_grace_watch.is_watching, __ATOMIC_SEQ_CST), 0)) cp_watch_grace_period();
}

static inline void cp_end_grace_period(void) { __atomic_add_fetch(&cp_grace_watch.periods, 1, __ATOMIC_RELEASE); }

#endif
