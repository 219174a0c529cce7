/* Breaking up a huge frame against pins, faults and other holders: no count is lost or left, what is put goes to the counter that
 * it was taken from, no frame is free while it is held, and the program and a pin see one frame.
 *
 * A huge frame of two pages, 0 and 1. The first one counts the references to both, until it is broken up; both pages are
 * mapped, or, with LEFTOVER, page 1 alone. A pinner pins a page; the program stores; another holder has a reference of the huge
 * frame (another space's entry, one that waits in the deferred frees), and puts it. A break-up, and then an unmap.
 *
 *   Pinning/AddressSpace+Hold.swift, Engines/*     retain, hold, holdOther
 *                                                [pin-then-look] [slot-then-leave]
 *   Operations/BreakUpHugeFrames.swift           breakUp          [change-then-count] [lock-then-validate]
 *   Frames/Frame+Huge.swift                      breakUp
 *   AddressSpaces/Faults/Fault+WriteProtect.swift copyPage, reusePage    [lock-then-validate]
 *
 * With SHARED the entries are copy-on-write, as a fork with a child that is gone leaves them: no pin is taken, a store copies the page, and
 * references the original meanwhile; with UNREFERENCED it does not.
 *
 * Mutations: NO_MIGRATION, NO_GRACE, NO_SCAN, SCAN_BEFORE_GRACE, COUNT_BEFORE_CHANGE, NOT_WRITE_LOCKED. */
#ifdef SHARED
#define PINNERS 0
#else
#define PINNERS 1
#endif
#define READERS 2
#define STORER 1
#ifndef STORES
#define STORES 2
#endif

chan buffer = [2] of { byte };
byte slot;
inline flush_stores() { atomic { do :: buffer ? slot :: empty(buffer) -> break od } }
#include "rcu.h"

/* An entry: a frame times 4, plus 2 where it is part of the huge one, plus 1 where it is shared; or one of three words. */
#define ENTRY(f, isPart, isShared) (4 * (f) + 2 * (isPart) + (isShared))
#define EMPTY 253
#define BUSY 254
#define MIGRATION 255
#define is_mapped(e) ((e) < EMPTY)
#define is_part(e) (is_mapped(e) && ((e) / 2) % 2 == 1)
#define is_shared(e) ((e) % 2 == 1)
#define frame_of(e) ((e) / 4)
/* The frame that holds the counts. */
#define counter_of(e) (is_part(e) -> 0 : frame_of(e))
byte entries[2];
bool isWriteLocked;

/* Frames 0 and 1, the huge one's, and 2 and 3, for copies. */
byte references[4];
bool isHuge = true;
bool isFree[4];
byte nextFrame = 2;
bool isStale[4];     /* what the frame shows is not what was stored to its page last */
byte pinned;         /* what the pin has: the frame plus one; */
byte pinnedPage;     /* and which page it was */
byte done;

inline release(f) { assert(!isFree[f] && pinned != f + 1); isFree[f] = true }

inline put(f) {
  d_step {
    assert(references[f] > 0);
    references[f]--;
    if
    :: references[f] == 0 && f == 0 && isHuge -> release(0); release(1)
    :: references[f] == 0 && (f != 0 || !isHuge) -> release(f)
    :: else
    fi
  }
}

#ifdef UNREFERENCED
inline put_reference(f) { skip }
#else
inline put_reference(f) { put(f) }
#endif

proctype Pinner() {
  byte page, e, c;
  bool bySlot;
#ifdef SLOT
  bySlot = true;
#endif
  atomic { if :: page = 0 :: page = 1 fi; enter(0) };
  e = entries[page];
  /* A pin for writing takes nothing shared. */
  if
  :: !is_mapped(e) || is_shared(e) -> leave(0); goto out
  :: else -> c = counter_of(e)
  fi;
#ifdef MIXED
  if :: bySlot = true :: bySlot = false fi;
#endif
  if
  :: bySlot -> atomic { buffer ! c + 1; pinned = frame_of(e) + 1; pinnedPage = page }; leave(0)
  :: else ->
    d_step { assert(references[c] > 0); references[c]++ };
    if
    :: entries[page] != e -> put(c); leave(0); goto out
    :: else
    fi;
    d_step { pinned = frame_of(e) + 1; pinnedPage = page; leave(0) }
  fi;
  /* The device works. */
  d_step { assert(!isFree[pinned - 1] && !isStale[pinned - 1]); assert(bySlot || references[c] > 0) };
  if
  :: bySlot -> atomic { pinned = 0; buffer ! 0 }
  :: else -> pinned = 0; put(c)
  fi;
out:
  done++
}

active proctype Memory() {
end:
  do
  :: atomic { nempty(buffer) -> buffer ? slot }
  od
}

proctype Other() {
  put(0);
  done++
}

#ifdef NOT_WRITE_LOCKED
#define IS_WRITE_LOCKED false
#else
#define IS_WRITE_LOCKED isWriteLocked
#endif

proctype Program() {
  byte page, e, c, n, i;
  byte seen[READERS];
  do
  :: n < STORES ->
    atomic { n++; if :: page = 0 :: page = 1 fi };
again:
    enter(STORER);
    e = entries[page];
    if
    :: e == EMPTY -> leave(STORER)
    :: is_mapped(e) && !is_shared(e) ->
      d_step {
        /* A load, and a store. */
        assert(!isFree[frame_of(e)]);
        assert(!isStale[frame_of(e)]);
        assert(pinned == 0 || pinnedPage != page || pinned == frame_of(e) + 1);
        leave(STORER)
      }
    :: e == BUSY || e == MIGRATION -> leave(STORER); (entries[page] != BUSY && !isWriteLocked); goto again
    :: is_mapped(e) && is_shared(e) ->
      if :: IS_WRITE_LOCKED -> leave(STORER); (!isWriteLocked); goto again :: else fi;
      c = counter_of(e);
      if
      :: references[c] == 1 ->
        if
        :: atomic { entries[page] == e -> entries[page] = BUSY }
        :: entries[page] != e -> leave(STORER); goto again
        fi;
        if
        :: IS_WRITE_LOCKED || references[c] > 1 -> entries[page] = e; leave(STORER); goto again
        :: else -> entries[page] = e - 1; leave(STORER); goto again
        fi
      :: else ->
        /* A copy: the original is referenced meanwhile. */
#ifndef UNREFERENCED
        d_step { assert(references[c] > 0); references[c]++ };
        if
        :: entries[page] != e -> put(c); leave(STORER); goto again
        :: else
        fi;
#endif
        if
        :: atomic { entries[page] == e -> entries[page] = BUSY }
        :: entries[page] != e -> put_reference(c); leave(STORER); goto again
        fi;
        if
        :: IS_WRITE_LOCKED -> entries[page] = e; put_reference(c); leave(STORER); goto again
        :: else
        fi;
        d_step {
          references[nextFrame] = 1; isFree[nextFrame] = false; isStale[frame_of(e)] = true;
          entries[page] = ENTRY(nextFrame, 0, 0); nextFrame++
        };
        put_reference(c);
        leave(STORER);
        /* The deferred free. */
        grace_period();
        (slot != c + 1);
        put(c)
      fi
    fi
  :: else -> break
  od;
  done++
}

inline look() {
  d_step {
#ifndef COUNT_BEFORE_CHANGE
    if :: references[0] != places -> isAlone = false :: else fi;
#endif
    skip
  }
}

inline scan() { d_step { if :: slot == 1 -> isAlone = false :: else fi } }

/* One entry back, of those that were taken. */
inline give_back(page, e) {
  if
  :: is_part(e) -> entries[page] = (isAlone -> e - 2 : e)
  :: else
  fi
}

inline drop(page, e) {
  atomic { entries[page] != BUSY -> e = entries[page]; entries[page] = EMPTY }
}

proctype BreakUp() {
  byte seen[READERS];
  byte i, places, first, second;
  bool isAlone = true;
  isWriteLocked = true;
  atomic { entries[0] != BUSY -> first = entries[0] };
  atomic { entries[1] != BUSY -> second = entries[1] };
  places = is_part(first) + is_part(second);
  if
  :: places == 0 || references[0] != places -> goto over
  :: else
  fi;
#ifndef NO_MIGRATION
  atomic { entries[0] != BUSY -> if :: is_part(first) -> entries[0] = MIGRATION :: else fi };
  atomic { entries[1] != BUSY -> if :: is_part(second) -> entries[1] = MIGRATION :: else fi };
#endif
#ifdef SCAN_BEFORE_GRACE
  scan();
#endif
#ifndef NO_GRACE
  grace_period();
#endif
  look();
#if !defined(NO_SCAN) && !defined(SCAN_BEFORE_GRACE)
  scan();
#endif
  if
  :: isAlone ->
    isHuge = false;
    references[0] = 0;
    /* A mapped frame goes on with one reference, another is free. */
    if :: is_part(first) -> references[0] = 1 :: else -> d_step { release(0) } fi;
    if :: is_part(second) -> references[1] = 1 :: else -> d_step { release(1) } fi
  :: else
  fi;
  give_back(0, first);
  give_back(1, second);
over:
  isWriteLocked = false;
  /* The unmap. */
  drop(0, first);
  drop(1, second);
  grace_period();
  if :: is_mapped(second) -> (slot != counter_of(second) + 1); put(counter_of(second)) :: else fi;
  if :: is_mapped(first) -> (slot != counter_of(first) + 1); put(counter_of(first)) :: else fi;
  (done == PINNERS + 2);
  /* Nothing is left. */
  assert(references[0] == 0 && references[1] == 0 && references[2] == 0 && references[3] == 0);
  assert(isFree[0] && isFree[1] && isFree[2] && isFree[3])
}

init {
  atomic {
#ifdef SHARED
#define MARK 1
#else
#define MARK 0
#endif
#ifdef LEFTOVER
    entries[0] = EMPTY;
    references[0] = 2;
#else
    entries[0] = ENTRY(0, 1, MARK);
    references[0] = 3;
#endif
    entries[1] = ENTRY(1, 1, MARK);
    isFree[2] = true; isFree[3] = true;
#if PINNERS
    run Pinner();
#endif
    run Program();
    run Other();
    run BreakUp()
  }
}
