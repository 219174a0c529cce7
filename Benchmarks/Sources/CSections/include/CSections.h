// What a read-side section and a grace period cost, with each flavour of liburcu. A file for each: the flavours' inline
// readers cannot be had side by side in one.
#pragma once

#include <stdint.h>

struct section_flavour {
  const char *name;
  /// What a reader must do for it.
  const char *asks;
  /// Enters and leaves a section `count` times; in each one load, as of an entry's link. Registers the thread, and
  /// unregisters it.
  void (*sections)(uint64_t count);
  /// Waits for `count` grace periods.
  void (*grace_periods)(uint64_t count);
};

extern const struct section_flavour sections_bp, sections_memb, sections_mb, sections_qsbr;
