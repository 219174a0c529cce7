/* Pins and stores against unmap and the reuse of the frame.
 *
 * One entry, two frames. PINNERS threads pin the page and let it go, one loads or stores through the entry, one unmaps the page and
 * maps a new one, twice, so that a frame comes back behind the same entry.
 *
 *   Pinning/AddressSpace+Hold.swift, Engines/*     retain, hold, holdOther      [pin-then-look] [slot-then-leave]
 *   Operations/Unmap.swift       zap, drop                [change-then-count]
 *   Teardown.swift               close, finish            [change-then-grace]
 *   Concurrency/DeferredQueue.swift, Frames/DeferredFrames.swift  the grace period, the scan, the put  [deferred-free]
 *
 * REFERENCE or SLOT says how pins are taken; MIXED lets each pin choose. A store to a slot waits in the pinner's store buffer:
 * it is visible at some later time, at the latest when a grace period ends.
 *
 * NEVER_SLOT_PINNED: entries begin neverSlotPinned, a pin by a slot changes that first, and an unmap does not wait if none has.
 *
 *   Pinning/Engines/SlotEngine.swift     holdOther     [first-slot-pin]
 *
 * READONLY: accesses are loads of bytes that no other thread can change, so an unmap does not wait for them: private memory
 * that is reachable through the entry alone.
 *
 * Mutations: NO_SECOND_LOOK, COUNT_BEFORE_CHANGE, FREE_WITHOUT_GRACE, NO_SCAN, SCAN_BEFORE_GRACE, UNMAP_RETURNS_EARLY,
 * LOOK_AT_SLOTS_NOW, PIN_LEAVES_NEVER_SLOT_PINNED, CHANGE_BY_STORE. */
#ifndef PINNERS
#define PINNERS 1
#endif
#define READERS (PINNERS + 1)
#define STORER PINNERS
#define NOTHING 255

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

byte entry;          /* 0: empty; f + 1: maps frame f, writable; f + 1 + NEVER_SLOT_PINNED_BIT: the same, and no slot ever held it */
#define NEVER_SLOT_PINNED_BIT 4
#define frame_of(e) ((e) % NEVER_SLOT_PINNED_BIT - 1)
#ifdef NEVER_SLOT_PINNED
#define new_entry(f) ((f) + 1 + NEVER_SLOT_PINNED_BIT)
#else
#define new_entry(f) ((f) + 1)
#endif
byte references[2];
bool isFree[2];
byte life[2];        /* grows each time a frame is given out */
byte holders[2];     /* pins that were granted and not let go */
bool gone[2];        /* the unmap that took the frame out has returned */
byte unmaps;

inline put(f) {
  d_step {
    assert(references[f] > 0);
    references[f]--;
    if
    :: references[f] == 0 -> assert(holders[f] == 0); assert(!isFree[f]); isFree[f] = true
    :: else
    fi
  }
}

proctype Pinner(byte me) {
  byte e, f, born;
  bool bySlot;
  enter(me);
  e = entry;
  if
  :: e == 0 -> leave(me); goto done
  :: else -> f = frame_of(e); born = life[f]
  fi;
#ifdef MIXED
  if :: bySlot = true :: bySlot = false fi;
#endif
#ifdef SLOT
  bySlot = true;
#endif
  if
  :: bySlot ->
#if defined(NEVER_SLOT_PINNED) && !defined(PIN_LEAVES_NEVER_SLOT_PINNED)
    if
#ifdef CHANGE_BY_STORE
    :: e > NEVER_SLOT_PINNED_BIT -> entry = f + 1
#else
    :: e > NEVER_SLOT_PINNED_BIT -> atomic { if :: entry == e -> entry = f + 1 :: else -> leave(me); goto done fi }
#endif
    :: else
    fi;
#endif
    atomic { buffer[me] ! f + 1; holders[f]++ }; leave(me)
  :: else ->
    d_step { assert(references[f] > 0); references[f]++ };
#ifndef NO_SECOND_LOOK
    if
    :: entry != e -> put(f); leave(me); goto done
    :: else
    fi;
#endif
    d_step { holders[f]++; section[me]++ }
  fi;
  /* The device works. */
  assert(!isFree[f] && life[f] == born);
  assert(!isFree[f] && life[f] == born);
  if
  :: bySlot -> atomic { holders[f]--; buffer[me] ! 0 }
  :: else -> d_step { holders[f]-- }; put(f)
  fi;
done:
  skip
}

/* When buffered stores reach memory is not the program's choice. */
active proctype Memory() {
end:
  do
  :: atomic { nempty(buffer[0]) -> flush_one(0) }
#if PINNERS > 1
  :: atomic { nempty(buffer[1]) -> flush_one(1) }
#endif
  od
}

proctype Program() {
  byte e, f, born;
  byte n = 0;
  do
  :: n < 2 ->
    n++;
    enter(STORER);
    e = entry;
    if
    :: e != 0 ->
      f = frame_of(e); born = life[f];
      /* The access: in this life of the frame, and in no pinned page after its unmap has returned. */
      atomic {
        assert(!isFree[f] && life[f] == born);
#ifndef READONLY
        assert(!(gone[f] && holders[f] > 0))
#endif
      }
    :: else
    fi;
    leave(STORER)
  :: else -> break
  od
}

inline scan(f) {
  d_step {
    held = false;
    i = 0;
    do
    :: i < PINNERS -> if :: slots[i] == f + 1 -> held = true :: else fi; i++
    :: else -> break
    od;
    i = 0
  }
}

proctype Unmapper() {
  byte e, f, i, count;
  byte seen[READERS];
  bool held;
  do
  :: unmaps < 2 ->
#ifdef COUNT_BEFORE_CHANGE
    f = frame_of(entry);
    count = references[f];
    atomic { e = entry; entry = 0 };
#else
    atomic { e = entry; f = frame_of(e); entry = 0 };
    count = references[f];
#endif
#ifdef SCAN_BEFORE_GRACE
    scan(f);
#endif
    /* Accesses may be under way: the teardown waits for them if another thread may reach the page. */
#if !defined(READONLY) && !defined(UNMAP_RETURNS_EARLY)
#if defined(LOOK_AT_SLOTS_NOW)
    scan(f);
    if :: held || count > 1 -> grace_period() :: else fi;
#elif defined(REFERENCE)
    if :: count > 1 -> grace_period() :: else fi;
#else
    if :: count > 1 || e < NEVER_SLOT_PINNED_BIT -> grace_period() :: else fi;
#endif
#endif
    gone[f] = true;
    /* The deferred free. */
#ifndef FREE_WITHOUT_GRACE
    grace_period();
#endif
    held = false;
#ifndef REFERENCE
#ifndef NO_SCAN
#ifndef SCAN_BEFORE_GRACE
    do
    :: scan(f);
       /* A frame in a slot waits for a later drain. */
       if
       :: held -> (slots[0] != f + 1
#if PINNERS > 1
         && slots[1] != f + 1
#endif
         )
       :: else -> break
       fi
    od;
#else
    if :: held -> goto out :: else fi;
#endif
#endif
#endif
    put(f);
    unmaps++;
    /* A thread faults the address in again, into whatever frame is free. */
    atomic {
      if
      :: isFree[0] -> f = 0
      :: isFree[1] -> f = 1
      :: else -> goto out
      fi;
      isFree[f] = false; gone[f] = false; life[f]++; references[f] = 1
    };
    entry = new_entry(f)
  :: else -> break
  od;
out:
  skip
}

init {
  atomic {
    references[0] = 1; isFree[1] = true; entry = new_entry(0);
    run Pinner(0);
#if PINNERS > 1
    run Pinner(1);
#endif
    run Program();
    run Unmapper()
  }
}
