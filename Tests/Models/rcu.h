/* Read-side sections and grace periods.
 *
 * section[i] is odd while thread i is inside a section. A grace period waits for the sections that are open at its start,
 * not for those that begin later. Modulo 4, and with nothing left behind: so that fewer states are told apart. */
#ifndef READERS
#define READERS 3
#endif
byte section[READERS];

inline enter(me) { section[me] = (section[me] + 1) % 4 }
inline leave(me) { section[me] = (section[me] + 1) % 4 }

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
  :: i < READERS -> atomic { (seen[i] % 2 == 0 || section[i] != seen[i]); seen[i] = 0; i++ }
  :: else -> i = 0; break
  od;
  flush_stores()
}
