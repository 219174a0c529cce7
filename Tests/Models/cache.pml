/* A frame that is known by its number: to the page cache, to a mapping by number, and to the fault that it is given to next.
 *
 * Frame 0 is in the one place of the cache, frame 1 is free. A reader looks the place up. Another thread drops the cached page. A fault
 * takes a free frame for private memory and may lose its entry to a rival. A mixed mapping's fault names one of the frames by number.
 *
 *   Backing/PageCacheFile.swift              cachedFrame(of:)                  [deferred-free]
 *   Backing/PageCacheFile+Truncate.swift     drop                              [deferred-free]
 *   Faults/Fault+Anonymous.swift             installFrame                      [lock-then-begin]
 *   Frames/Frame+Huge.swift                  retainShared
 *
 * A frame that the allocator has given out has no reference until its entry is locked: then `begin` says that it is private memory
 * and adds the first one. So a thread with the number alone finds nothing to add to, or finds private memory at its second look.
 *
 * LOOK_UP_OUTSIDE looks the place up outside of a section, and takes the reference unless there is none. DROP_AT_ONCE puts the
 * cache's reference without a grace period. BEGIN_BEFORE_LOCK gives the fault's frame its reference before the entry is locked, and
 * takes it back if the fault loses: the order that the library had first. ASK_ONCE maps a number without the second look.
 *
 * Mutations: LOOK_UP_OUTSIDE, DROP_AT_ONCE, BEGIN_BEFORE_LOCK, ASK_ONCE. */
#define READERS 1
inline flush_stores() { skip }
#include "rcu.h"
#define EMPTY 0
#define BUSY 8
#define ZERO 9
byte place = 1;           /* a frame's number plus one */
byte entry = EMPTY;       /* of the fault: EMPTY, BUSY, ZERO (the zero page), or a frame's number plus one */
byte references[2];
bool isAnonymous[2];      /* stays when the frame is freed; each `begin` sets it anew */
bool isFree[2];
bool isPrivate[2];        /* a program has the frame for itself alone: from `begin` to the end of its mapping */

inline put(f) {
  d_step {
    assert(references[f] > 0);
    references[f]--;
    if
    :: references[f] == 0 -> assert(!isFree[f]); assert(!isPrivate[f]); isFree[f] = true
    :: else
    fi
  }
}

/* The state is stored first, the reference is added after. */
inline begin(f) {
  isAnonymous[f] = true;
  d_step { isPrivate[f] = true; references[f]++ }
}

proctype Reader() {
  byte word;
#ifdef LOOK_UP_OUTSIDE
  word = place;
  if
  :: word != 0 ->
    if
    :: atomic { references[word - 1] > 0 -> references[word - 1]++ }
    :: atomic { references[word - 1] == 0 -> word = 0 }
    fi
  :: else
  fi;
#else
  enter(0);
  word = place;
  if
  :: word != 0 -> d_step { assert(references[word - 1] > 0 && !isFree[word - 1]); references[word - 1]++ }
  :: else
  fi;
  leave(0);
#endif
  /* The file's bytes are read. */
  if
  :: word != 0 -> assert(!isPrivate[word - 1]); put(word - 1)
  :: else
  fi
}

proctype Dropper() {
  byte seen[READERS];
  byte i;
  place = 0;
#ifndef DROP_AT_ONCE
  grace_period();
#endif
  put(0)
}

proctype Faulter() {
  byte seen[READERS];
  byte i;
  byte f;
  atomic {
    if
    :: isFree[0] -> f = 0
    :: isFree[1] -> f = 1
    fi;
    isFree[f] = false;
    assert(references[f] == 0)
  };
#ifdef BEGIN_BEFORE_LOCK
  begin(f);
#endif
  if
  :: atomic { entry == EMPTY -> entry = BUSY };
#ifndef BEGIN_BEFORE_LOCK
    begin(f);
#endif
    entry = f + 1;
    /* The program has it for a while, then unmaps it. */
    d_step { entry = EMPTY; isPrivate[f] = false };
    grace_period();
    put(f)
  :: atomic { entry != EMPTY ->
#ifdef BEGIN_BEFORE_LOCK
      references[f]--;
      isPrivate[f] = false;
#endif
      /* The fault has lost. It gives back a frame that no other thread has a reference on. */
      assert(references[f] == 0);
      isFree[f] = true
    }
  fi
}

/* Another fault on the same entry, for reading. */
proctype Rival() {
  if
  :: atomic { entry == EMPTY -> entry = ZERO }
  :: skip
  fi
}

/* A mixed mapping's fault. The backing names a frame. */
proctype Namer() {
  byte n;
  if
  :: n = 0
  :: n = 1
  fi;
  if
  :: isAnonymous[n]
  :: else ->
    if
    :: atomic { references[n] == 0 }
    :: atomic { references[n] > 0 -> references[n]++ };
#ifndef ASK_ONCE
      if
      :: isAnonymous[n] -> put(n)
      :: else ->
#endif
        /* Mapped, and unmapped again. */
        assert(!isPrivate[n]);
        assert(!isFree[n]);
        put(n)
#ifndef ASK_ONCE
      fi
#endif
    fi
  fi
}

init {
  atomic {
    references[0] = 1;
    isFree[1] = true;
    run Reader();
    run Dropper();
    run Faulter();
    run Rival();
    run Namer()
  }
}
