// What entries, mappings and frames say at a moment: for debuggers, monitors and tests.
#ifndef USERPAGES_INSPECT_H
#define USERPAGES_INSPECT_H

#include "base.h"

UP_BEGIN

/// What a mapping says (a line of `/proc/self/maps`).
typedef struct up_mapping {
  /// Where it begins, in bytes, and its length in pages.
  uint64_t address, pages;
  /// Of UP_READ and UP_WRITE.
  unsigned protection;
  /// UP_MAP_SHARED, or 0.
  unsigned flags;
} up_mapping;

/// Describes the mapping that holds `address`. O(log n) of the mappings, and no lock.
///
/// Errors: -EFAULT if there is none, or -EINVAL. Threads: any.
UP_API int up_space_mapping(const up_space *space, uint64_t address, up_mapping *mapping);

/// What an entry of a page table can be.
enum {
  UP_ENTRY_NONE = 0,
  /// A page with a descriptor, a page without one, the zero page, 2 MiB.
  UP_ENTRY_NORMAL = 1,
  UP_ENTRY_SPECIAL = 2,
  UP_ENTRY_ZERO = 3,
  UP_ENTRY_HUGE = 4,
  /// Written to the swap file (SWAP), or moving or on its way there (MIGRATION).
  UP_ENTRY_SWAP = 5,
  UP_ENTRY_MIGRATION = 6,
  /// A guard marker.
  UP_ENTRY_GUARD = 7
};

/// What an entry says (`/proc/self/pagemap`).
typedef struct up_entry {
  /// One of `UP_ENTRY_...`.
  int kind;
  /// What it allows, of UP_READ and UP_WRITE, possibly less than the mapping. 0 if nothing is present.
  unsigned protection;
  /// Not 0 if a store went through it since it was last clean.
  int is_dirty;
} up_entry;

/// Reads the entry for `address`. Waits while a thread has it locked. An address without one is UP_ENTRY_NONE.
///
/// Errors: -EINVAL. Threads: any.
UP_API int up_space_entry(const up_space *space, uint64_t address, up_entry *entry);

/// What a frame's descriptor says (`/proc/kpagecount`, `/proc/kpageflags`).
typedef struct up_frame_state {
  /// Entries that map it, pins, and references. Each pin is a reference too.
  uint64_t maps, pins, references;
  /// Not 0 if it is a program's private memory.
  int is_anonymous;
  /// Not 0 if it was stored to, as far as the descriptor knows.
  int is_dirty;
  /// Not 0 if the entry it was reached through is the only one that may ever map it.
  int is_exclusive;
} up_frame_state;

/// Describes the frame behind `address`. Errors: -EFAULT if no frame with a descriptor is mapped there, or -EINVAL.
/// Threads: any.
UP_API int up_space_frame(const up_space *space, uint64_t address, up_frame_state *state);

/// Describes the frame with this number, if any. `is_exclusive` is 0. A backing asks so for pins before it moves a
/// page.
///
/// Errors: -EINVAL if the number has no descriptor. Threads: any.
UP_API int up_machine_frame(const up_machine *machine, uint64_t number, up_frame_state *state);

UP_END

#endif
