/* Read-side sections and grace periods.
 *
 * section[i] is odd while thread i is inside a section. A grace period waits for the sections that are open at its start,
 * not for those that begin later. */
#ifndef READERS
#define READERS 3
#endif
byte section[READERS];

inline enter(me) { section[me]++ }
inline leave(me) { section[me]++ }

/* Uses the caller's `byte seen[READERS]` and `byte i`. */
inline grace_period() {
  d_step {
    i = 0;
    do
    :: i < READERS -> seen[i] = section[i]; i++
    :: else -> break
    od
  };
  i = 0;
  do
  :: i < READERS -> (seen[i] % 2 == 0 || section[i] != seen[i]); i++
  :: else -> break
  od;
  flush_stores()
}
