/* A page of a cached file: write-back and eviction against loads, stores, faults and pins. No store is lost, no load sees an older page, and
 * what a sync called safe is in the file.
 *
 * One page, one entry, two frames. THREADS threads load and store TURNS times, and fault where the entry does not allow it. One pins
 * (PINNERS, by REFERENCE, SLOT or MIXED), one syncs, SYNCS times, and one evicts, EVICTIONS times. `stored` counts the stores that have landed. A frame, the
 * file and the copy of a held page have the number of the last store in them.
 *
 *   PageCache/PageCache.swift               (b1) to (b8), (e1) to (e5), (f1) to (f3), (l1), (l2)
 *   PageCache/PageCache+WriteBack.swift     begin, write, bytesToWrite, finish       [lock-then-validate] [change-then-count]
 *   PageCache/PageCache+Eviction.swift      take, isIdleWithoutEntries, takeAway     [slot-then-leave] [deferred-free]
 *   PageCache/PageCache+Fault.swift         cachedFrame, readIn, markDirty
 *   Faults/Fault+WriteProtect.swift         handleTrackedWrite
 *
 * FAILING: a write may fail, and the sync says so. MAPPED: the page begins mapped, and the device uses it once: with a pin, a sync and an
 * eviction together there are states enough. The cache is not stable, no page is dirty when it is evicted, and the file is not cut.
 *
 * Mutations: ADVANCE_FIRST (b2 before b1), LEAVE_WRITABLE (no b3), WRITE_AT_ONCE (no b4), IGNORE_HOLDERS (b6), ERROR_IS_CLEAN (b8),
 * NO_VALIDATION (f3), MARK_LATE (f2 after f3), EVICT_DIRTY (e1), EVICT_AT_ONCE (no e3), LOOK_EARLY (e4 before e3), IGNORE_SLOTS,
 * IGNORE_RESCUE (e5), LOOK_UP_OUTSIDE (l1), COUNT_OUTSIDE (b6 without a section; it takes all four to fail). */
#ifndef THREADS
#define THREADS 1
#endif
#ifndef PINNERS
#define PINNERS 1
#endif
#ifndef TURNS
#define TURNS 1
#endif
#ifndef SYNCS
#define SYNCS 1
#endif
#ifndef EVICTIONS
#define EVICTIONS 1
#endif
#define READERS (THREADS + PINNERS + 1)
#define PINNER THREADS
#define SYNCER (THREADS + PINNERS)

chan buffer = [2] of { byte };
byte slot;
inline flush_stores() { atomic { do :: buffer ? slot :: empty(buffer) -> break od } }
#include "rcu.h"

/* The page's state: a kind, a frame and marks, one word in the library. What changes it is one step here. */
mtype = { ABSENT, READING, PRESENT, EVICTING };
mtype kind = ABSENT;
byte cached;         /* the frame, if the kind is PRESENT or EVICTING */
bool dirty, written; /* the marks: dirty, and under write-back */
byte sequence;

/* The entry: empty, locked, or a frame. */
#define EMPTY 0
#define BUSY 9
#define read_only(f) (1 + (f))
#define writable(f) (3 + (f))
#define is_mapped(e) ((e) != EMPTY && (e) != BUSY)
#define is_writable(e) ((e) == writable(0) || (e) == writable(1))
#define frame_of(e) (((e) - 1) % 2)
byte entry = EMPTY;

byte references[2];
byte mappings[2];
bool isFree[2] = true;
byte pinned;         /* what the pin has: the frame plus one */

byte stored;
byte contents[2];
byte file, copy;
byte done;

inline put(f) {
  d_step {
    assert(references[f] > 0);
    references[f]--;
    if
    :: references[f] == 0 -> assert(pinned != f + 1); assert(!isFree[f]); isFree[f] = true
    :: else
    fi
  }
}

inline load_from(f) { assert(!isFree[f]); assert(contents[f] == stored) }

/* (i) */
inline store_to(f) {
  load_from(f);
  assert(dirty || written);
  stored++;
  contents[f] = stored
}

#if PINNERS
proctype Pinner() {
  byte e, f;
  bool bySlot;
#ifdef SLOT
  bySlot = true;
#endif
  atomic { enter(PINNER); e = entry };
  if
  :: !is_mapped(e) -> leave(PINNER); goto out
  :: else -> f = frame_of(e)
  fi;
#ifdef MIXED
  if :: bySlot = true :: bySlot = false fi;
#endif
  if
  :: bySlot -> atomic { buffer ! f + 1; pinned = f + 1 }; leave(PINNER)
  :: else ->
    d_step { assert(references[f] > 0); references[f]++ };
    if
    :: entry != e -> put(f); leave(PINNER); goto out
    :: else
    fi;
    d_step { pinned = f + 1; leave(PINNER) }
  fi;
  /* The device, at any two moments. */
  d_step { if :: is_writable(e) -> store_to(f) :: else -> load_from(f) fi };
#ifndef MAPPED
  d_step { if :: is_writable(e) -> store_to(f) :: else -> load_from(f) fi };
#endif
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

/* `willStore`: the page is marked, and taken back from the evictor. */
inline mark_dirty() {
  atomic {
    if
    :: kind == PRESENT || kind == EVICTING -> kind = PRESENT; dirty = true; isMarked = true
    :: else -> isMarked = false
    fi
  }
}

proctype Program(byte me) {
  byte e, f, s, n;
  bool stores, isMarked;
  do
  :: n < TURNS ->
    n++;
    if :: stores = true :: stores = false fi;
again:
    atomic { s = 0; f = 0; enter(me); e = entry };
    if
    :: is_mapped(e) && (is_writable(e) || !stores) ->
      d_step {
        f = frame_of(e);
        if :: stores -> store_to(f) :: else -> load_from(f) fi;
        leave(me)
      }
    :: e == BUSY -> leave(me); (entry != BUSY); goto again
    :: is_mapped(e) && !is_writable(e) && stores ->
      /* (f1), (f2) */
      d_step { s = sequence; leave(me) };
#ifndef MARK_LATE
      mark_dirty();
      if :: !isMarked -> goto again :: else fi;
#endif
      /* (f3) */
      atomic {
        if
        :: entry == e -> enter(me); entry = BUSY
        :: else -> goto again
        fi
      };
      d_step {
        assert(entry == BUSY);
        if
#ifndef NO_VALIDATION
        :: sequence != s -> entry = e
#endif
        :: else -> entry = writable(frame_of(e))
        fi;
        leave(me)
      };
#ifdef MARK_LATE
      mark_dirty();
#endif
      goto again
    :: e == EMPTY ->
      d_step { s = sequence; leave(me) };
look_up:
#ifndef LOOK_UP_OUTSIDE
      enter(me);
#endif
      if
      :: atomic { kind == PRESENT || kind == EVICTING -> kind = PRESENT; f = cached };
         d_step {
           assert(references[f] > 0); references[f]++;
#ifndef LOOK_UP_OUTSIDE
           leave(me)
#endif
         }
      :: kind == READING ->
#ifndef LOOK_UP_OUTSIDE
         leave(me);
#endif
         (kind != READING);
         goto look_up
      :: kind == ABSENT ->
#ifndef LOOK_UP_OUTSIDE
         leave(me);
#endif
         if
         :: d_step {
              kind == ABSENT && (isFree[0] || isFree[1]) ->
              kind = READING;
              f = (isFree[0] -> 0 : 1);
              isFree[f] = false
            }
         :: kind != ABSENT -> goto look_up
         fi;
         contents[f] = file;
         d_step { references[f] = 2; cached = f; kind = PRESENT }
      fi;
      if
      :: stores ->
        mark_dirty();
        if :: !isMarked -> put(f); goto again :: else fi
      :: else
      fi;
      atomic {
        if
        :: entry == EMPTY -> enter(me); entry = BUSY
        :: else -> put(f); goto again
        fi
      };
      if
#ifndef NO_VALIDATION
      :: sequence != s -> d_step { entry = EMPTY; leave(me) }; put(f)
#endif
      :: else ->
        /* The answer's reference is the entry's now. */
        d_step { mappings[f]++; entry = (stores -> writable(f) : read_only(f)); leave(me) }
      fi;
      goto again
    fi
  :: else -> break
  od;
  done++
}

proctype Sync() {
  byte seen[READERS];
  byte i, n, f, before, counted;
  bool isHeld, failed;
  do
  :: n < SYNCS ->
    n++;
    before = stored;
#ifdef ADVANCE_FIRST
    sequence++;
#endif
    /* (b1) */
    if
    :: atomic { dirty && kind != ABSENT && kind != READING -> dirty = false; written = true; f = cached }
    :: else -> goto safe
    fi;
#ifndef ADVANCE_FIRST
    /* (b2) */
    sequence++;
#endif
#ifndef LEAVE_WRITABLE
    /* (b3) */
    atomic { entry != BUSY -> if :: is_writable(entry) -> entry = read_only(frame_of(entry)) :: else fi };
#endif
#ifndef WRITE_AT_ONCE
    /* (b4) */
    grace_period();
#endif
    /* (b6) */
    isHeld = false;
#ifndef IGNORE_HOLDERS
    d_step { if :: slot == f + 1 -> isHeld = true :: else fi };
#ifndef COUNT_OUTSIDE
    enter(SYNCER);
#endif
    counted = mappings[f];
    d_step { if :: references[f] > 1 + counted -> isHeld = true :: else fi; counted = 0 };
#ifndef COUNT_OUTSIDE
    leave(SYNCER);
#endif
#endif
    if
    :: isHeld -> dirty = true; copy = contents[f]
    :: else
    fi;
    /* (b7) */
#ifdef FAILING
    if :: failed = true :: failed = false fi;
#endif
    if
    :: failed
    :: else -> d_step { assert(!isFree[f]); file = (isHeld -> copy : contents[f]); copy = 0 }
    fi;
    /* (b8) */
#ifdef ERROR_IS_CLEAN
    written = false;
#else
    d_step { written = false; if :: failed -> dirty = true :: else fi };
#endif
safe:
    assert(failed || file >= before)
  :: else -> break
  od;
  done++
}

inline look() {
  d_step {
    isHeld = references[f] != (hadEntry -> 2 : 1);
#ifndef IGNORE_SLOTS
    if :: slot == f + 1 -> isHeld = true :: else fi
#endif
  }
}

proctype Evict() {
  byte seen[READERS];
  byte i, n, f;
  bool isHeld, hadEntry;
  do
  :: n < EVICTIONS ->
    n++;
    /* (e1) */
    if
#ifdef EVICT_DIRTY
    :: atomic { kind == PRESENT && !written -> kind = EVICTING; f = cached }
#else
    :: atomic { kind == PRESENT && !dirty && !written -> kind = EVICTING; f = cached }
#endif
    :: else -> goto next
    fi;
    /* (e2) */
    hadEntry = false;
    atomic {
      entry != BUSY ->
      if
      :: is_mapped(entry) -> assert(frame_of(entry) == f); entry = EMPTY; mappings[f]--; hadEntry = true
      :: else
      fi
    };
#ifdef LOOK_EARLY
    look();
#endif
#ifndef EVICT_AT_ONCE
    /* (e3) */
    grace_period();
#endif
#ifndef LOOK_EARLY
    look();
#endif
    if :: hadEntry -> put(f) :: else fi;
    /* (e5) */
    if
    :: isHeld -> atomic { if :: kind == EVICTING -> kind = PRESENT :: else fi }
#ifdef IGNORE_RESCUE
    :: else -> kind = ABSENT; dirty = false; put(f)
#else
    :: else ->
      if
      :: atomic { kind == EVICTING -> kind = ABSENT; dirty = false; assert(file == stored) }; put(f)
      :: kind != EVICTING
      fi
#endif
    fi;
next:
    skip
  :: else -> break
  od;
  done++
}

/* What is clean is in the file, and what is in memory is the last store. */
proctype End() {
  (done == THREADS + PINNERS + 2);
  assert(!written);
  assert(dirty || file == stored);
  assert(kind != PRESENT || contents[cached] == stored);
  assert(kind == PRESENT || kind == ABSENT);
  assert(!is_mapped(entry) || (kind == PRESENT && frame_of(entry) == cached));
  assert(references[0] + references[1] == (kind == PRESENT -> 1 : 0) + (is_mapped(entry) -> 1 : 0))
}

init {
  atomic {
    /* The page is in the file alone, or clean and mapped, or dirty and mapped. */
    if
#ifndef MAPPED
    :: true
#endif
    :: isFree[0] = false; references[0] = 2; mappings[0] = 1; kind = PRESENT; entry = read_only(0)
    :: isFree[0] = false; references[0] = 2; mappings[0] = 1; kind = PRESENT; entry = writable(0); dirty = true
    fi;
    run Program(0);
#if THREADS > 1
    run Program(1);
#endif
#if PINNERS
    run Pinner();
#endif
    run Sync();
    run Evict();
    run End()
  }
}
