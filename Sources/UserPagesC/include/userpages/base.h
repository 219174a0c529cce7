// What all headers of the C face share: sizes, the handles, the version.
#ifndef USERPAGES_BASE_H
#define USERPAGES_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__cplusplus)
#define UP_BEGIN extern "C" {
#define UP_END }
#else
#define UP_BEGIN
#define UP_END
#endif

/// Declares a function that the library exports.
#define UP_API __attribute__((visibility("default")))

/// The bytes of a page and of a frame.
#define UP_PAGE_SIZE 4096
/// The pages of 2 MiB.
#define UP_PAGES_PER_HUGE 512

/// The version of these headers, as `up_version` returns the library's.
#define UP_VERSION 0x000100

UP_BEGIN

/// A machine: frames of RAM, and what else has frame numbers.
typedef struct up_machine up_machine;
/// An address space: mappings, a page table, and the operations on them (`mm_struct`).
typedef struct up_space up_space;
/// What mappings show: a file behind a page cache, a memory file, an image, a device, or a program's own callbacks.
typedef struct up_backing up_backing;
/// Translations of a range that are kept without a pin (`mmu_interval_notifier`).
typedef struct up_mirror up_mirror;
/// One user's view of the errors of a page cache (`struct file`).
typedef struct up_cache_handle up_cache_handle;

/// The library's version: the major number times 65536, plus the minor number times 256, plus the patch number.
///
/// Threads: any.
UP_API uint32_t up_version(void);

UP_END

#endif
