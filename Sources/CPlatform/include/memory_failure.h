// Mapped files that lose pages: a bus error of the mapping instead of a signal to the process.
//
// If a file is truncated, or its disk cannot read a block, the kernel sends SIGBUS to the thread that touches the page.
// Nothing that a process may do beforehand rules that out. A lease delays a truncation and needs a privilege. `fstat`
// before an access races with it. userfaultfd covers anonymous memory and shmem alone. A copy of the file would cost
// its size in RAM. So the access is let happen, and is told afterwards. This is Linux's memory failure
// (`memory_failure`) in small:
//
//     the thread that touches the lost page                 any thread that reads the page, the same one too
//     1. the kernel sends SIGBUS
//     2. the handler marks the page and counts it
//     3. the handler maps a page of zeroes in its place      a. reads bytes: the file's, or zeroes
//     4. the access is repeated and reads zeroes             b. looks at the count, then at the mark
//
// ORDERING [mark-then-replace]: 2 comes before 3, and a before b. A thread that read one of the zeroes finds the mark,
// and drops what it read. In step 3 the kernel changes the page table under its lock, which a fault of the reader takes
// later.
#ifndef CPLATFORM_MEMORY_FAILURE_H
#define CPLATFORM_MEMORY_FAILURE_H

#include <stddef.h>
#include <stdint.h>

/// How many pages of watched ranges are marked. Zero as long as no file has lost a page.
extern uint64_t cp_failed_pages;

/// Whether any page is marked, for a caller that has read the page with acquire ordering. One load, and no more, of a
/// line that nothing writes to.
static inline __attribute__((always_inline)) int cp_any_page_marked(void) {
  return __builtin_expect(__atomic_load_n(&cp_failed_pages, __ATOMIC_RELAXED) != 0, 0);
}

/// The same for a caller that read the page without any order.
static inline __attribute__((always_inline)) int cp_any_page_failed(void) {
  // ORDERING [mark-then-replace]: the caller's reads of the page come before the load.
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return cp_any_page_marked();
}

/// Whether the page that holds `address` is marked. Ask after the bytes were read.
int cp_page_failed(const void *address);

/// Watches a read-only mapping of a file that begins at a multiple of 2 MiB. Returns 0 or a negated errno.
///
/// The first call installs the handler, for the life of the process. The handler passes on every SIGBUS that is not for
/// a watched page. A program that installs a handler of its own later must pass on what it does not know, too.
int cp_watch_file_mapping(void *start, size_t bytes);

/// Ends the watch. No access to the mapping may be under way.
void cp_unwatch_file_mapping(void *start);

#endif
