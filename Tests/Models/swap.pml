/* Paging out against pins, loads and stores, faults and the reuse of a slot: a pinned page never leaves, what comes back is what
 * was stored last, and frames and slots are given back once.
 *
 * One page: its entry maps a frame or leads to a slot. Two slots. THREADS threads load and store, faulting the page in from the
 * cache or the file; one pins (PINNERS, by REFERENCE, SLOT or MIXED); OUTERS page out, ROUNDS times; the writer writes. DROP:
 * one throws the page away (`dontNeed`). STRANGER: another page goes out to a slot that is free, and comes back. GETS: what is taken
 * is a get, under which the page goes out; its frame stays in the cache until the get has ended and reclaim has it written.
 *
 *   Pinning/AddressSpace+Hold.swift, Engines/*     retain, hold, holdOther            [pin-then-look] [slot-then-leave]
 *   Operations/PageOut.swift          takeOut, finish, putBack      [change-then-count] [swap-then-copy]
 *   Frames/Swap/SwapArea.swift        replace, decide, claim, removeUser, trim: a step each, under the monitor
 *   Frames/Swap/SwapArea+Writing.swift  takeStretch, finish         [swap-then-copy] [last-put]
 *   Faults/Fault+SwapIn.swift        handleSwapFault, giveBack     [lock-then-validate]
 *
 * FAILING: a write may fail, and the page stays in the cache then. The page is its space's own: what a fork left shared is not
 * here.
 *
 * Mutations: NO_GRACE, NO_SCAN, SCAN_BEFORE_GRACE, COUNT_BEFORE_CHANGE, NO_HOLD, PUT_AT_ONCE. */
#ifndef THREADS
#define THREADS 1
#endif
#ifndef PINNERS
#define PINNERS 1
#endif
#ifndef STORES
#define STORES 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef OUTERS
#define OUTERS 1
#endif
#ifdef STRANGER
#define STRANGERS 1
#else
#define STRANGERS 0
#endif
#define READERS (THREADS + PINNERS)
#define PINNER THREADS

chan buffer = [2] of { byte };
byte slot;
inline flush_stores() { atomic { do :: buffer ? slot :: empty(buffer) -> break od } }
#include "rcu.h"

/* The entry: a frame's number, or one of these. */
#define FRAMES 3
#define SWAPPED(s) (8 + (s))
#define is_swapped(e) ((e) == SWAPPED(0) || (e) == SWAPPED(1))
#define EMPTY 16
#define BUSY 17
byte entry;

byte references[FRAMES];
bool isFree[FRAMES];
/* Not what was stored to the page last: a frame, a slot of the file, what the writer has copied. */
bool isStale[FRAMES];
bool fileIsStale[2] = true;
bool copyIsStale;

/* The slots of the file. */
#define IDLE 0
#define QUEUED 1
#define UNDER_WAY 2
byte users[2];
byte holds[2];
byte cached[2];      /* a frame plus one */
byte writing[2];
#define is_unused(s) (users[s] == 0 && holds[s] == 0 && writing[s] == IDLE)

byte pinned;         /* what the pin has: the frame plus one */
byte done;

inline put(f) {
  d_step {
    assert(references[f] > 0);
    references[f]--;
    if
    :: references[f] == 0 -> assert(!isFree[f] && pinned != f + 1 && entry != f); isFree[f] = true
    :: else
    fi
  }
}

/* A load and a store through a frame, by the program or a device. */
inline touch(f) {
  assert(!isFree[f]);
  assert(!isStale[f]);
  isStale[0] = true; isStale[1] = true; isStale[2] = true;
  fileIsStale[0] = true; fileIsStale[1] = true; copyIsStale = true;
  isStale[f] = false
}

inline put_after_grace_period(f) {
  grace_period();
  (slot != f + 1);
  put(f)
}

#if PINNERS
proctype Pinner() {
  byte f;
  bool bySlot;
#ifdef SLOT
  bySlot = true;
#endif
  enter(PINNER);
  f = entry;
  if
  :: f >= FRAMES -> leave(PINNER); goto out
  :: else
  fi;
#ifdef MIXED
  if :: bySlot = true :: bySlot = false fi;
#endif
  if
  :: bySlot -> atomic { buffer ! f + 1; pinned = f + 1 }; leave(PINNER)
  :: else ->
    d_step { assert(references[f] > 0); references[f]++ };
    if
    :: entry != f -> put(f); leave(PINNER); goto out
    :: else
    fi;
    d_step { pinned = f + 1; leave(PINNER) }
  fi;
  d_step { touch(f) };
  if
  :: bySlot -> atomic { pinned = 0; buffer ! 0 }
  :: else -> pinned = 0; put(f)
  fi;
out:
  done++
}
#endif

active proctype Memory() {
end:
  do
  :: atomic { nempty(buffer) -> buffer ? slot }
  od
}

#define NONE 255

/* Ends what a fault had gathered. */
inline discard() {
  d_step {
    if
    :: from != NONE ->
      if :: own != NONE -> assert(!isFree[own]); isFree[own] = true :: else fi;
#ifndef NO_HOLD
      assert(holds[from] > 0); holds[from]--;
#endif
      from = NONE; own = NONE
    :: else
    fi
  }
}

proctype Program(byte me) {
  byte e, s, n;
  byte from = NONE, own = NONE;
  do
  :: n < STORES ->
    n++;
again:
    enter(me);
    e = entry;
    if
    :: e < FRAMES ->
      d_step {
        touch(e);
        assert(pinned == 0 || pinned == e + 1);
        leave(me)
      };
      discard()
    :: e == EMPTY -> leave(me); discard(); n = STORES
    :: e == BUSY -> leave(me); (entry != BUSY); goto again
    :: is_swapped(e) ->
      if
      :: atomic { entry == e -> entry = BUSY }
      :: entry != e -> leave(me); goto again
      fi;
      /* The claim. */
      d_step {
        s = e - SWAPPED(0);
        assert(users[s] > 0);
        if
        :: cached[s] != 0 -> users[s]--; e = cached[s] - 1; cached[s] = 0
        :: cached[s] == 0 && own != NONE && from == s -> users[s]--; e = own; references[e] = 1; own = NONE
        :: else ->
#ifndef NO_HOLD
          holds[s]++
#endif
        fi
      };
      atomic { assert(entry == BUSY); entry = e };
      leave(me);
      if
      :: is_swapped(e) ->
        discard();
        d_step {
          if
          :: isFree[0] -> own = 0
          :: isFree[1] -> own = 1
          :: isFree[2] -> own = 2
          fi;
          isFree[own] = false; from = s
        };
        isStale[own] = fileIsStale[s]
      :: else
      fi;
      goto again
    fi
  :: else -> break
  od;
  done++
}

proctype Writer() {
  byte s, freed;
  bool writeFailed;
end:
  do
#ifdef GETS
  /* Reclaim has what nothing holds any more written. */
  :: d_step { cached[0] != 0 && references[cached[0] - 1] == 1 && writing[0] == IDLE -> writing[0] = QUEUED }
  :: d_step { cached[1] != 0 && references[cached[1] - 1] == 1 && writing[1] == IDLE -> writing[1] = QUEUED }
#endif
  :: d_step {
       writing[0] == QUEUED || writing[1] == QUEUED ->
       s = (writing[0] == QUEUED -> 0 : 1);
       if
       :: cached[s] == 0 -> writing[s] = IDLE
       :: else -> writing[s] = UNDER_WAY; copyIsStale = isStale[cached[s] - 1]
       fi
     };
     if
     :: writing[s] == UNDER_WAY ->
#ifdef FAILING
       if :: writeFailed = false :: writeFailed = true fi;
#endif
       fileIsStale[s] = copyIsStale || writeFailed;
       d_step {
         writing[s] = IDLE; copyIsStale = false;
         if
         :: !writeFailed && cached[s] != 0 && references[cached[s] - 1] == 1 -> freed = cached[s]; cached[s] = 0
         :: else -> freed = 0
         fi
       };
       if :: freed != 0 -> put(freed - 1); freed = 0 :: else fi
     :: else
     fi
  od
}

inline scan(f) { d_step { if :: slot == f + 1 -> stays = true :: else fi } }

proctype PageOut() {
  byte seen[READERS];
  byte i, n, e, f, s;
  bool stays, isGone, isInSlot;
  do
  :: n < ROUNDS ->
    n++;
    atomic { entry != BUSY -> f = entry };
    if
    :: f >= FRAMES -> goto next
    :: else
    fi;
    stays = false;
#ifdef COUNT_BEFORE_CHANGE
    d_step { if :: references[f] > 1 -> stays = true :: else fi }; scan(f);
#endif
    /* The entry is replaced, the frame is cached. */
    d_step {
      if
      :: entry == f && (is_unused(0) || is_unused(1)) ->
        s = (is_unused(0) -> 0 : 1);
        entry = SWAPPED(s);
        references[f]++; cached[s] = f + 1; users[s] = 1; holds[s] = 1
      :: else -> f = NONE
      fi
    };
    if :: f == NONE -> goto next :: else fi;
#ifdef SCAN_BEFORE_GRACE
    scan(f);
#endif
#ifndef NO_GRACE
    grace_period();
#endif
#if !defined(NO_SCAN) && !defined(SCAN_BEFORE_GRACE) && !defined(COUNT_BEFORE_CHANGE)
    scan(f);
#endif
    isInSlot = stays;
    d_step {
      isGone = cached[s] != f + 1;
      if
      :: isGone
      :: else ->
#ifndef COUNT_BEFORE_CHANGE
        if :: references[f] > 2 -> stays = true :: else fi;
#endif
        if
        :: stays
        :: else ->
          references[f]--;
          if :: writing[s] == IDLE -> writing[s] = QUEUED :: else fi
        fi
      fi;
#ifdef GETS
      /* Left in the cache. The entry's reference falls at once, or waits for the slot. */
      if
      :: !isGone && stays ->
        if :: isInSlot -> isGone = true :: else -> references[f]-- fi;
        stays = false
      :: else
      fi;
#endif
      if :: isGone || !stays -> holds[s]-- :: else fi
    };
    if
    :: isGone ->
#ifdef PUT_AT_ONCE
      put(f)
#else
      put_after_grace_period(f)
#endif
    :: !isGone && stays ->
put_back:
      atomic { entry != BUSY -> e = entry };
      if
      :: e != SWAPPED(s) ->
#ifdef PUT_AT_ONCE
        put(f)
#else
        put_after_grace_period(f)
#endif
      :: else ->
        if
        :: atomic { entry == e -> entry = BUSY }
        :: entry != e -> goto put_back
        fi;
        d_step { assert(cached[s] == f + 1 && users[s] == 1); users[s]--; cached[s] = 0 };
        atomic { assert(entry == BUSY); entry = f };
        put(f)
      fi;
      d_step { assert(holds[s] > 0); holds[s]-- }
    :: else
    fi;
next:
    skip
  :: else -> break
  od;
  done++
}

/* Empties the entry, and gives up what it held. */
inline drop(e) {
  atomic { entry != BUSY -> e = entry; entry = EMPTY };
  if
  :: is_swapped(e) ->
    d_step {
      e = e - SWAPPED(0);
      assert(users[e] == 1);
      users[e] = 0;
      f = cached[e]; cached[e] = 0
    };
    if :: f != 0 -> put(f - 1) :: else fi
  :: e < FRAMES -> put_after_grace_period(e)
  :: else
  fi
}

proctype Dropper() {
  byte seen[READERS];
  byte i, e, f;
#ifdef DROP
  drop(e);
#else
  skip;
#endif
  (done == THREADS + PINNERS + STRANGERS + OUTERS && writing[0] == IDLE && writing[1] == IDLE);
  drop(e);
#ifdef GETS
  (writing[0] == IDLE && writing[1] == IDLE);
#endif
  /* Nothing is left. */
  assert(is_unused(0) && is_unused(1) && cached[0] == 0 && cached[1] == 0);
  (isFree[0] && isFree[1] && isFree[2]);
  assert(references[0] == 0 && references[1] == 0 && references[2] == 0)
}

#ifdef STRANGER
proctype Stranger() {
  byte s;
  atomic {
    is_unused(0) || is_unused(1);
    s = (is_unused(0) -> 0 : 1);
    users[s] = 1
  };
  fileIsStale[s] = true;
  d_step { users[s] = 0; done++ }
}
#endif

init {
  atomic {
    references[0] = 1; isFree[1] = true; isFree[2] = true; isStale[1] = true; isStale[2] = true;
    run Program(0);
#if THREADS > 1
    run Program(1);
#endif
#if PINNERS
    run Pinner();
#endif
#ifdef STRANGER
    run Stranger();
#endif
    run Writer();
    run PageOut();
#if OUTERS > 1
    run PageOut();
#endif
    run Dropper()
  }
}
