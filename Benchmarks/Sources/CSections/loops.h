// The loops of one flavour. The includer has named it: READ_LOCK, READ_UNLOCK, JOIN, LEAVE, SYNCHRONIZE, and the words
// of `section_flavour`.
#include "CSections.h"

static uint64_t word;

static void sections(uint64_t count) {
  JOIN();
  for (uint64_t i = 0; i < count; i++) {
    READ_LOCK();
    (void)__atomic_load_n(&word, __ATOMIC_SEQ_CST);
    READ_UNLOCK();
  }
  LEAVE();
}

static void grace_periods(uint64_t count) {
  // One reader is known, in no section: without any there is nothing to ask.
  JOIN();
  for (uint64_t i = 0; i < count; i++) SYNCHRONIZE();
  LEAVE();
}
