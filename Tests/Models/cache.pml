/* A look-up in the page cache against the frame's being dropped and reused.
 *
 * One place of the cache holds frame 0. A reader looks it up; another thread drops the cached page; a fault takes a free frame, loses
 * its race and tries again with the same frame, which no other thread has seen.
 *
 *   Backing/PageCacheFile.swift              frame(of:), drop    [deferred-free]
 *   AddressSpaces/Fault+FirstTouch.swift     installOwn
 *
 * Mutation: LOOK_UP_OUTSIDE takes the reference unless it is zero, and looks again, as a cache does whose frames are freed
 * without waiting for readers: a reference that comes too late may then be the last one of another's frame. */
#define READERS 1
inline flush_stores() { skip }
#include "rcu.h"
byte place = 1;         /* a frame's number plus one */
byte references[2];
bool isFree[2];
byte owners[2];         /* faults that believe the frame to be theirs alone */

inline put(f) {
  d_step {
    assert(references[f] > 0);
    references[f]--;
    if
    :: references[f] == 0 -> assert(!isFree[f]); assert(owners[f] == 0); isFree[f] = true
    :: else
    fi
  }
}

proctype Reader() {
  byte word;
#ifdef LOOK_UP_OUTSIDE
  word = place;
  if
  :: word != 0 ->
    if
    :: atomic { references[word - 1] > 0 -> references[word - 1]++ };
       put(word - 1)
    :: references[word - 1] == 0
    fi
  :: else
  fi
#else
  enter(0);
  word = place;
  if
  :: word != 0 -> d_step { assert(references[word - 1] > 0 && !isFree[word - 1]); references[word - 1]++ }
  :: else
  fi;
  leave(0);
  if :: word != 0 -> put(word - 1) :: else fi
#endif
}

proctype Dropper() {
  byte seen[READERS];
  byte i;
  place = 0;
  grace_period();
  put(0)
}

proctype Faulter() {
  byte f;
  atomic {
    if
    :: isFree[0] -> f = 0
    :: isFree[1] -> f = 1
    fi;
    isFree[f] = false;
    owners[f]++
  };
  /* The first attempt loses its race: the frame goes back to having no user, and stays this fault's. */
  references[f]++;
  references[f]--;
  /* The second one wins. */
  references[f]++;
  assert(!isFree[f]);
  d_step { owners[f]-- };
  put(f)
}

init { atomic { references[0] = 1; isFree[1] = true; run Reader(); run Dropper(); run Faulter() } }
