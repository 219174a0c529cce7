/* Pins and stores against fork and copy-on-write: the program and a pin see one page, a pinned frame is never shared, and what
 * the parent stores after a fork is not the child's.
 *
 * One entry of the parent, one of the child. PINNERS threads pin the parent's page for writing; one thread stores through the
 * entry, breaking copy-on-write as the fault does; one forks.
 *
 *   Pinning/AddressSpace+Hold.swift, Engines/*     retain, hold, holdOther                  [pin-then-look] [slot-then-leave]
 *   Operations/Fork.swift         write-lock, writeProtect                  [change-then-count]
 *   Operations/ForkEntries.swift  copyEntries
 *   Fault+WriteProtect.swift      soleUser, reusePage, copyPage       [lock-then-validate]
 *
 * The parent's page begins as exclusive; with LONELY as one that was shared with a child which is gone, so that a fork finds
 * nothing to write-protect and waits for no section.
 *
 * A fork may fail before it comes to the page.
 *
 * Mutations: CHECK_BEFORE_PROTECT, NO_GRACE, SCAN_BEFORE_GRACE, COUNT_BEFORE_LOCK, NO_WRITE_LOCK, FAILURE_LEAVES_PINNED. */
#ifndef PINNERS
#define PINNERS 1
#endif
#define READERS (PINNERS + 1)
#define STORER PINNERS
#define NONE 255

chan buffer[PINNERS] = [2] of { byte };
byte slots[PINNERS];
inline flush_one(t) { d_step { buffer[t] ? slots[t] } }
inline flush_stores() {
  atomic {
    i = 0;
    do
    :: i < PINNERS -> do :: buffer[i] ? slots[i] :: empty(buffer[i]) -> break od; i++
    :: else -> break
    od;
    i = 0
  }
}
#include "rcu.h"

/* An entry: a frame times two, plus one where it is exclusive and writable; or busy. */
#define EXCLUSIVE(f) (2 * (f) + 1)
#define SHARED(f) (2 * (f))
#define BUSY 254
byte entry;
byte child = NONE;
bool childIsComplete;
bool isWriteLocked;
byte references[4];
byte pins[4];
byte holders[4];
byte nextFrame = 1;

/* The holder of a pin shares the page with the program, and with no other. */
#define ONE_PAGE(f) (holders[f] == 0 || (entry == EXCLUSIVE(f) || entry == SHARED(f) || entry == BUSY))
#define NOT_SHARED(f) (holders[f] == 0 || child == NONE || child / 2 != f)

proctype Pinner(byte me) {
  byte e, f;
  bool bySlot;
  enter(me);
  e = entry;
  if
  :: e == BUSY || e % 2 == 0 -> leave(me); goto done
  :: else -> f = e / 2
  fi;
#ifdef MIXED
  if :: bySlot = true :: bySlot = false fi;
#endif
#ifdef SLOT
  bySlot = true;
#endif
  if
  :: bySlot -> buffer[me] ! f + 1; leave(me)
  :: else ->
    d_step { references[f]++; pins[f]++ };
#ifndef NO_SECOND_LOOK
    if
    :: entry != e -> d_step { references[f]--; pins[f]-- }; leave(me); goto done
    :: else
    fi;
#endif
    leave(me)
  fi;
  holders[f]++;
  /* A fork that is under way may still lower the entry, but it will give the page back. */
  (!isWriteLocked);
  atomic { assert(ONE_PAGE(f)); assert(NOT_SHARED(f)) };
  atomic { assert(ONE_PAGE(f)); assert(NOT_SHARED(f)) };
  d_step { holders[f]--; if :: bySlot :: else -> references[f]--; pins[f]-- fi };
  if :: bySlot -> buffer[me] ! 0 :: else fi;
done:
  skip
}

active proctype Memory() {
end:
  do
  :: atomic { nempty(buffer[0]) -> flush_one(0) }
#if PINNERS > 1
  :: atomic { nempty(buffer[1]) -> flush_one(1) }
#endif
  od
}

/* The store itself: not into a page that a finished fork has given to the child. */
inline land(f) { atomic { assert(!(childIsComplete && child / 2 == f)) } }
#ifdef NO_WRITE_LOCK
#define IS_WRITE_LOCKED false
#else
#define IS_WRITE_LOCKED isWriteLocked
#endif

proctype Storer() {
  byte e, f, count;
  byte n = 0;
  do
  :: n < 2 ->
again:
    enter(STORER);
    e = entry;
    if
    :: e == BUSY || IS_WRITE_LOCKED -> leave(STORER); (entry != BUSY && !IS_WRITE_LOCKED); goto again
    :: e != BUSY && !IS_WRITE_LOCKED && e % 2 == 1 -> f = e / 2; land(f); leave(STORER); n++
    :: else ->
      /* Copy-on-write: reuse the frame if no other space has it, else copy. */
      f = e / 2;
      count = references[f];
      if
      :: atomic { entry == e -> entry = BUSY }
      :: entry != e -> leave(STORER); goto again
      fi;
      if
      :: IS_WRITE_LOCKED -> entry = e; leave(STORER); goto again
      :: else
      fi;
#ifndef COUNT_BEFORE_LOCK
      if
      :: count == 1 && references[f] > 1 -> entry = e; leave(STORER); goto again
      :: else
      fi;
#endif
      if
      :: count == 1 -> entry = EXCLUSIVE(f)
      :: else -> d_step { references[nextFrame] = 1; entry = EXCLUSIVE(nextFrame); nextFrame++; references[f]-- }
      fi;
      leave(STORER)
    fi
  :: else -> break
  od
}

inline look_for_pins(f) {
  d_step {
    isPinned = pins[f] > 0;
    i = 0;
    do
    :: i < PINNERS -> if :: slots[i] == f + 1 -> isPinned = true :: else fi; i++
    :: else -> break
    od;
    i = 0
  }
}

proctype Forker() {
  byte e, f, i;
  byte seen[READERS];
  bool isPinned, writeProtected;
  isWriteLocked = true;
#ifdef CHECK_BEFORE_PROTECT
  (entry != BUSY);
  f = entry / 2;
  look_for_pins(f);
#endif
  /* Write-protect, waiting for the thread that holds the entry. */
  atomic {
    entry != BUSY ->
    e = entry; f = e / 2;
    if :: e % 2 == 1 -> entry = SHARED(f); writeProtected = true :: else fi
  };
#ifdef SCAN_BEFORE_GRACE
  look_for_pins(f);
#endif
#ifndef NO_GRACE
  if :: writeProtected -> grace_period() :: else fi;
#endif
#ifndef CHECK_BEFORE_PROTECT
#ifndef SCAN_BEFORE_GRACE
  look_for_pins(f);
#endif
#endif
  /* A fault may hold the entry until it finds the mapping write-locked. */
  atomic {
    entry != BUSY ->
    if
    :: isPinned -> child = EXCLUSIVE(3); entry = EXCLUSIVE(f)
    :: !isPinned -> references[entry / 2]++; child = entry
    :: true ->
      /* No memory: the child is thrown away. */
#ifndef FAILURE_LEAVES_PINNED
      if :: isPinned -> entry = EXCLUSIVE(f) :: else fi
#else
      skip
#endif
    fi
  };
  childIsComplete = child != NONE;
  isWriteLocked = false
}

init {
  atomic {
    references[0] = 1;
#ifdef LONELY
    entry = SHARED(0);
#else
    entry = EXCLUSIVE(0);
#endif
    run Pinner(0);
#if PINNERS > 1
    run Pinner(1);
#endif
    run Storer();
    run Forker()
  }
}
