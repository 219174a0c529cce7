/* The lock of an entry against the state of a mapping: no entry survives its mapping, none is lost, none is judged by another
 * mapping's rules.
 *
 * One page. FAULTS threads fault it in; a writer unmaps mapping 1 and maps mapping 2 in its place, as unmap and map do under the
 * mmap lock; a second one drops the page (the advice `dontNeed`, which needs the lock for reading only).
 *
 *   Faults/Fault+Attempt.swift, FaultSite.swift  attempt, install    [lock-then-validate]
 *   AddressSpaces/VMATree.swift          carve, publish      [lock-then-validate]
 *   AddressSpaces/Operations/Unmap.swift    zap
 *   PageTables/PTEPointer.swift      lock, update, take
 *
 * Mutations: VALIDATE_BEFORE_LOCK, ZAP_BEFORE_DETACH, PLAIN_CLEAR. */
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef TURNS
#define TURNS 3
#endif
#define EMPTY 0
#define BUSY 9
byte mapping = 1;       /* what a lookup finds: 1, 2, or 0 for a hole */
bool isDetached[3];
byte entry;             /* EMPTY, BUSY, or the number of the mapping that it was installed for */
byte locker = 255;
byte frames[3];         /* frames installed for a mapping and not yet taken back */
bool mappedTwo;

proctype Fault(byte me) {
  byte m, e;
  byte turns;
  do
  :: turns < TURNS ->
    turns++;
    m = mapping;
    if
    :: m == 0 || isDetached[m] -> skip
    :: else ->
      e = entry;
      if
      :: e == BUSY -> skip
      :: e != BUSY && e != EMPTY ->
        /* Loads and stores go ahead by what the entry says: when the new mapping is there, the old one's entries are not. */
        assert(!(m == 2 && e == 1));
        break
      :: e == EMPTY ->
#ifdef VALIDATE_BEFORE_LOCK
        if :: isDetached[m] -> goto next :: else fi;
#endif
        atomic {
          if
          :: entry == EMPTY -> entry = BUSY; assert(locker == 255); locker = me
          :: else -> goto next
          fi
        };
#ifndef VALIDATE_BEFORE_LOCK
        if
        :: isDetached[m] -> d_step { assert(entry == BUSY && locker == me); locker = 255; entry = EMPTY }; goto next
        :: else
        fi;
#endif
        /* No other thread may have changed what was locked. */
        d_step { assert(entry == BUSY && locker == me); locker = 255; entry = m; frames[m]++ };
        break
      fi
    fi;
next:
    skip
  :: else -> break
  od
}

/* Empties the entry and gives up what it held. */
inline zap() {
#ifdef PLAIN_CLEAR
  atomic {
    taken = entry; entry = EMPTY;
    if :: taken == 1 || taken == 2 -> frames[taken]-- :: else fi
  }
#else
  atomic {
    entry != BUSY ->
    taken = entry; entry = EMPTY;
    if :: taken == 1 || taken == 2 -> frames[taken]-- :: else fi
  }
#endif
}

proctype Writer() {
  byte taken;
#ifdef ZAP_BEFORE_DETACH
  zap();
#endif
  isDetached[1] = true;
  mapping = 0;
#ifndef ZAP_BEFORE_DETACH
  zap();
#endif
  /* The mapping is gone, and all that was installed for it. */
  atomic { assert(entry != 1); assert(frames[1] == 0) };
  mapping = 2;
  mappedTwo = true;
  atomic { assert(entry != 1); assert(frames[1] == 0) }
}

proctype Dropper() {
  byte taken;
  /* Not while the writer has the lock. */
  if
  :: atomic { !isDetached[1] && mapping == 1 -> zap() }
  :: (mappedTwo) -> zap()
  fi
}

active proctype Monitor() {
end:
  /* What is installed is counted, exactly. */
  atomic { !(frames[1] + frames[2] <= 1) -> assert(false) }
}

init {
  atomic {
    run Fault(0);
    run Fault(1);
#if FAULTS > 2
    run Fault(2);
#endif
    run Writer();
    run Dropper()
  }
}
