/* Collapse against pins, loads, stores and faults: the program and a pin see one frame, no store is lost, no walker is in a node or
 * a frame that is free, and no reference is lost or left.
 *
 * A node of two entries: page 0 is there, page 1 is not, until a fault brings it. A pinner pins either page, by the node or by
 * the huge entry; the program loads and stores; a collapse copies both pages into a huge frame.
 *
 *   Pinning/AddressSpace+Hold.swift, Engines/*     retain, hold, holdOther
 *                                                [pin-then-look] [slot-then-leave]
 *   Faults/Fault+Attempt.swift, FaultSite.swift  attempt, install    [lock-then-validate]
 *   Operations/Collapse.swift                    collapse, isMovable, retire   [change-then-count] [deferred-free]
 *
 * It is the grace period that orders a pin and a collapse, which leaves the entries of the node as they are and only takes the
 * link away: the second look of a pin finds nothing here, and ONE_LOOK does without. A fault that does not look whether the
 * mapping is write-locked finds the place of the link taken; one that does look would not mind if it were empty. So each of NOT_WRITE_LOCKED
 * and EMPTY_LINK holds; not both.
 *
 * PART: page 0 is part of an older huge frame, another part of which another space maps, and once more (by a fork) meanwhile: it
 * takes a reference, then adds a mapping. References and mappings are not looked at in one moment, so a thread that only compares them
 * overlooks a pin; pins are counted by themselves.
 *
 * Mutations: NO_GRACE, NO_SCAN, SCAN_BEFORE_GRACE, COUNT_BEFORE_CHANGE, COMPARE_ALONE; NOT_WRITE_LOCKED with EMPTY_LINK. */
#ifdef PART
#define OTHERS 1
#else
#define OTHERS 0
#endif
#ifndef PINNERS
#define PINNERS 1
#endif
#ifndef STORES
#define STORES 2
#endif
#define READERS (PINNERS + 1)
#define STORER PINNERS

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

/* The entry of the level above. */
#define NONE 0
#define NODE 1
#define AWAY 2
#define HUGE 3
byte link = NODE;
bool nodeIsFree;
bool isWriteLocked;

/* In the node: empty, locked, or mapping frame 0 at page 0 and frame 1 at page 1. */
#define EMPTY 0
#define BUSY 1
#define MAPPED 2
byte entries[2];

/* Frames 0 and 1, and 2, the huge one; the words at page 0 and 1 of it are 2 and 3. */
byte references[3];
byte mappings[3];
byte pins[3];
bool isFree[3];
#define frame_of(w) ((w) < 2 -> (w) : 2)
bool isStale[4];      /* of a word: it is not what was stored to its page last */
byte held[PINNERS];  /* the word that was pinned, plus one */
byte done;

inline put(f) {
  d_step {
    assert(references[f] > 0);
    references[f]--;
    if
    :: references[f] == 0 -> assert(!isFree[f] && mappings[f] == 0); isFree[f] = true
    :: else
    fi
  }
}

/* A load and a store of a word, by the program or by the device of a pin. */
inline touch(w) {
  assert(!isFree[frame_of(w)]);
  assert(!isStale[w]);
  isStale[w % 2] = true; isStale[2 + w % 2] = true; isStale[w] = false
}

/* A walk to the entry of a page, inside a section: what was found, and the word that it shows. */
inline walk(page, l, e, w) {
  l = link;
  e = EMPTY;
  if
  :: l == NODE -> atomic { assert(!nodeIsFree); e = entries[page]; w = page }
  :: l == HUGE -> e = MAPPED; w = 2 + page
  :: else
  fi
}

proctype Pinner(byte me) {
  byte page, l, e, w, f;
  bool bySlot;
#ifdef SLOT
  bySlot = true;
#endif
  atomic { if :: page = 0 :: page = 1 fi; enter(me) };
  walk(page, l, e, w);
  if
  :: e != MAPPED -> leave(me); goto out
  :: else -> f = frame_of(w)
  fi;
#ifdef MIXED
  if :: bySlot = true :: bySlot = false fi;
#endif
  if
  :: bySlot -> atomic { buffer[me] ! f + 1; held[me] = w + 1 }; leave(me)
  :: else ->
    d_step { assert(references[f] > 0); references[f]++; pins[f]++ };
#ifndef ONE_LOOK
    if
    :: (l == NODE && entries[page] != e) || (l == HUGE && link != HUGE) -> d_step { pins[f]-- }; put(f); leave(me); goto out
    :: else
    fi;
#endif
    d_step { held[me] = w + 1; leave(me) }
  fi;
  /* The device works. */
  d_step { touch(w) };
  if
  :: bySlot -> atomic { held[me] = 0; buffer[me] ! 0 }
  :: else -> d_step { held[me] = 0; pins[f]-- }; put(f)
  fi;
out:
  done++
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

#ifdef NOT_WRITE_LOCKED
#define IS_WRITE_LOCKED false
#else
#define IS_WRITE_LOCKED isWriteLocked
#endif

proctype Program() {
  byte page, l, e, w, n, i;
  do
  :: n < STORES ->
    atomic { n++; if :: page = 0 :: page = 1 fi };
again:
    enter(STORER);
    walk(page, l, e, w);
    if
    :: e == MAPPED ->
      d_step {
        touch(w);
        i = 0;
        do
        :: i < PINNERS -> assert(held[i] == 0 || held[i] == w + 1 || (held[i] - 1) % 2 != page); i++
        :: else -> break
        od;
        i = 0; w = 0;
        leave(STORER)
      }
    :: e != MAPPED && IS_WRITE_LOCKED -> leave(STORER); (!isWriteLocked); goto again
    :: else ->
      /* The fault. */
      if
      :: l == NONE ->
        /* Makes a node, as where nothing was before. */
        if
        :: atomic { link == NONE -> link = NODE }; leave(STORER); goto again
        :: link != NONE -> leave(STORER); goto again
        fi
      :: l == AWAY -> leave(STORER); (link != AWAY); goto again
      :: l == NODE ->
        if
        :: atomic { entries[page] == e -> entries[page] = BUSY }
        :: entries[page] != e -> leave(STORER); goto again
        fi;
        if
        :: IS_WRITE_LOCKED -> entries[page] = e; leave(STORER); goto again
        :: else
        fi;
        atomic { assert(!nodeIsFree); references[page]++; mappings[page]++; entries[page] = MAPPED };
        leave(STORER);
        goto again
      fi
    fi
  :: else -> break
  od;
  done++
}

#ifdef PART
/* The other space: its fork, the end of its child, and its own. */
proctype Other() {
  byte seen[READERS];
  byte i;
  references[0]++;
  mappings[0]++;
  d_step { mappings[0] = mappings[0] - 2 };
  grace_period();
  put(0);
  put(0);
  done++
}
#endif

/* Whether one of the pages is held: the counts first, references and pins in one word, the mappings after. */
inline look(page) {
  atomic {
    (entries[page] != BUSY);
    if
    :: entries[page] == MAPPED ->
      count = references[page];
#ifndef COMPARE_ALONE
      if :: pins[page] != 0 -> stays = true :: else fi
#endif
    :: else -> count = 0
    fi
  };
  d_step {
    if
    :: entries[page] == MAPPED && count != mappings[page] -> stays = true
    :: else
    fi;
    count = 0
  }
}

inline scan() {
  d_step {
    i = 0;
    do
    :: i < PINNERS -> if :: slots[i] != 0 -> stays = true :: else fi; i++
    :: else -> break
    od;
    i = 0
  }
}

proctype Collapser() {
  byte seen[READERS];
  byte i, count;
  bool stays;
  isWriteLocked = true;
#ifdef COUNT_BEFORE_CHANGE
  look(0); look(1);
#endif
#ifdef EMPTY_LINK
  link = NONE;
#else
  link = AWAY;
#endif
#ifdef SCAN_BEFORE_GRACE
  scan();
#endif
#ifndef NO_GRACE
  grace_period();
#endif
#ifndef COUNT_BEFORE_CHANGE
  look(0); look(1);
#endif
#if !defined(NO_SCAN) && !defined(SCAN_BEFORE_GRACE) && !defined(REFERENCE)
  scan();
#endif
  if
  :: stays -> link = NODE
  :: else ->
    if :: entries[0] == MAPPED -> isStale[2] = isStale[0] :: else fi;
    if :: entries[1] == MAPPED -> isStale[3] = isStale[1] :: else fi;
    d_step { references[2] = 1; mappings[2] = 1; isFree[2] = false };
    link = HUGE;
    /* No walker is in the node any more; what its entries held goes the way of all references. */
    d_step { mappings[0]--; mappings[1] = 0 }
  fi;
  isWriteLocked = false;
  if
  :: !stays ->
    grace_period();
#ifndef REFERENCE
    (slots[0] != 1 && slots[0] != 2);
#if PINNERS > 1
    (slots[1] != 1 && slots[1] != 2);
#endif
#endif
    nodeIsFree = true;
    if :: entries[0] == MAPPED -> put(0) :: else fi;
    if :: entries[1] == MAPPED -> put(1) :: else fi
  :: else
  fi;
  /* When all is over each frame has the reference of its entry, or none, and is free then. */
  (done == PINNERS + 1 + OTHERS);
  d_step {
    if
    :: stays -> assert(link == NODE && references[0] == 1 && references[1] == (entries[1] == MAPPED) && isFree[2])
    :: else ->
      assert(link == HUGE && isFree[0] && references[1] == 0 && references[2] == 1);
      assert(!isStale[2] && !isStale[3])
    fi
  }
}

init {
  atomic {
    isStale[2] = true;
    entries[0] = MAPPED; references[0] = 1 + OTHERS; mappings[0] = 1 + OTHERS; isFree[2] = true;
#ifdef PART
    run Other();
#endif
    run Pinner(0);
#if PINNERS > 1
    run Pinner(1);
#endif
    run Program();
    run Collapser()
  }
}
