/* Copy-on-write by two threads of a space while its child goes, against a fork and the reuse of the page in place: no store is lost,
 * and the new child does not see the parent's.
 *
 * A copy is made inside the section in which the entry was read, and is installed if the entry is still the same. The entry may
 * have been another in between: what is to be shown is that the contents that were copied are still the page's.
 *
 *   Faults/Fault+WriteProtect.swift   soleUser, reusePage, copyPage    [lock-then-validate]
 *   Operations/Fork.swift             write-lock, writeProtect
 *   Operations/ForkEntries.swift      copyEntries
 *   Concurrency/DeferredQueue.swift                                    [deferred-free]
 *
 * With REFERENCED a copy retains its original and looks at the entry again. It holds without that, too: the entry had a reference
 * when the section began, and that one falls a grace period after the entry's end, so no other space reuses the frame
 * before the section is over; and a fork that shares a frame that this space has reused waits for a grace period with the
 * mapping write-locked.
 *
 * Mutations: NO_GRACE, NO_WRITE_LOCK, INSTALL_BLINDLY. */
#ifndef STORES
#define STORES 1
#endif
#define READERS 2
#define FRAMES 4
#define NONE 255
#define BUSY 254
inline flush_stores() { skip }
#include "rcu.h"

/* An entry: a frame times two, plus one where it is exclusive and writable; or none, or busy. 0 is the parent's, 1 the child's. */
#define EXCLUSIVE(f) (2 * (f) + 1)
#define SHARED(f) (2 * (f))
byte entries[2];
bool isWriteLocked;
byte references[FRAMES];
bool isFree[FRAMES];
/* What was stored to a frame last, what the parent stored to its page last, and what the child saw first. */
byte contents[FRAMES];
byte value;
byte childValue;
byte storersDone;
chan deferred = [3] of { byte };

inline put(f) {
  d_step {
    assert(references[f] > 0);
    references[f]--;
    if :: references[f] == 0 -> isFree[f] = true :: else fi
  }
}

/* Any frame that is free, as the caller's. */
inline allocate(n) {
  d_step {
    n = 0;
    do
    :: isFree[n] -> break
    :: else -> n++
    od;
    isFree[n] = false
  }
}

#ifdef NO_WRITE_LOCK
#define WRITE_LOCKED false
#else
#define WRITE_LOCKED isWriteLocked
#endif

/* One store to the parent's page, by thread `me`. Uses the caller's e, f, n, copied and count. */
inline store(me) {
  skip;
again:
  atomic { f = 0; n = 0; copied = 0; count = 0; enter(me); e = entries[0] };
  if
  :: e == BUSY || WRITE_LOCKED -> e = 0; leave(me); (entries[0] != BUSY && !WRITE_LOCKED); goto again
  :: e != BUSY && !WRITE_LOCKED && e % 2 == 1 ->
    f = e / 2;
    d_step {
      assert(!isFree[f]);
      assert(contents[f] == value);
      value++; contents[f] = value;
      leave(me); e = 0; f = 0
    }
  :: else ->
    d_step { f = e / 2; count = references[f] };
    if
    :: count != 1 ->
#ifdef REFERENCED
      d_step { assert(references[f] > 0); references[f]++ };
      if :: entries[0] != e -> put(f); leave(me); goto again :: else fi;
#endif
      atomic { allocate(n); assert(!isFree[f]); copied = contents[f] }
    :: else
    fi;
    if
#ifdef INSTALL_BLINDLY
    :: atomic { entries[0] != BUSY -> entries[0] = BUSY }
#else
    :: atomic { entries[0] == e -> entries[0] = BUSY }
    :: atomic { entries[0] != e -> undo(n, f, count); leave(me) }; goto again
#endif
    fi;
    if
    :: atomic { WRITE_LOCKED -> entries[0] = e; undo(n, f, count); leave(me) }; goto again
    :: else
    fi;
    if
    :: count == 1 ->
      if :: references[f] > 1 -> entries[0] = e; leave(me); goto again :: else fi;
      d_step { entries[0] = EXCLUSIVE(f); leave(me) }
    :: else ->
      d_step { references[n] = 1; contents[n] = copied; entries[0] = EXCLUSIVE(n) };
#ifdef REFERENCED
      put(f);
#endif
      atomic { deferred ! f; leave(me) }
    fi;
    goto again
  fi
}

/* A copy that is not installed. */
inline undo(n, f, count) {
  if
  :: count != 1 ->
    isFree[n] = true;
#ifdef REFERENCED
    put(f)
#endif
  :: else
  fi
}

proctype Storer(byte me) {
  byte e, f, n, copied, count, turn;
  do
  :: turn < STORES -> turn++; store(me)
  :: else -> break
  od;
  storersDone++
}

/* The child that is there at first, and goes at any time. */
proctype Child() {
  byte f;
  atomic { f = entries[1] / 2; entries[1] = NONE; deferred ! f; f = 0 }
}

/* One fork, when the first child is gone. Its child stays, and must see what it saw first. */
proctype Forker() {
  byte e, i;
  byte seen[READERS];
  bool writeProtected;
  entries[1] == NONE;
  isWriteLocked = true;
  atomic {
    entries[0] != BUSY ->
    e = entries[0];
    writeProtected = e % 2 == 1;
    if :: writeProtected -> entries[0] = SHARED(e / 2) :: else fi
  };
#ifndef NO_GRACE
  if :: writeProtected -> grace_period() :: else fi;
#endif
  writeProtected = false;
  atomic {
    entries[0] != BUSY ->
    e = entries[0];
    references[e / 2]++;
    childValue = value;
    entries[1] = e;
    e = 0;
    isWriteLocked = false
  };
  (storersDone == 2);
  assert(contents[entries[1] / 2] == childValue)
}

active proctype Reclaimer() {
  byte f, i;
  byte seen[READERS];
end:
  do
  :: deferred ? f -> grace_period(); put(f); f = 0
  od
}

init {
  atomic {
    entries[0] = SHARED(0);
    entries[1] = SHARED(0);
    references[0] = 2;
    isFree[1] = true; isFree[2] = true; isFree[3] = true;
    run Storer(0);
    run Storer(1);
    run Child();
    run Forker()
  }
}
