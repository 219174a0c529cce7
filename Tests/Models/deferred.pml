/* The deferred frees: what was gathered is freed a whole grace period later, once. Threads share grace periods.
 *
 * Two things can be reached; two writers make them unreachable and leave them in a list each. A writer takes a cookie, waits or does
 * not, and frees what its cookie's grace period has served, whichever thread has run it. A third thread drains everything. A reader walks.
 *
 *   Concurrency/GracePeriod.swift      next, wait, run                    [change-then-grace]
 *   Concurrency/DeferredQueue.swift    enqueue, drainIfFull, reclaim      [deferred-free]
 *
 * Mutations: GRACE_BEFORE_TAKE, NO_GRACE, ENQUEUE_BEFORE_UNLINK, JOIN_RUNNING. */
#define READERS 1
inline flush_stores() { skip }
#include "rcu.h"
bool isReachable[2] = true;
bool isFree[2];
bool pending[2];
bool drainLock[2];

/* Odd while a grace period runs. */
byte sequence;
#ifdef JOIN_RUNNING
#define NEXT ((sequence + 2) - (sequence % 2))
#else
#define NEXT ((sequence + 2) + (sequence % 2))
#endif

active proctype Reader() {
  byte n, x;
  do
  :: n < 3 ->
    n++;
    if :: x = 0 :: x = 1 fi;
    enter(0);
    if
    :: isReachable[x] -> assert(!isFree[x]); assert(!isFree[x])
    :: else
    fi;
    leave(0)
  :: else -> break
  od
}

/* One of the threads that wait runs the next grace period; the others sleep meanwhile. */
inline wait_for(cookie) {
  do
  :: sequence >= cookie -> break
  :: atomic { sequence < cookie && sequence % 2 == 0 -> sequence++ };
     grace_period();
     sequence++
  od
}

/* Under the drain lock, and at most once. */
inline free_word(y) {
  atomic { !drainLock[y] -> drainLock[y] = true };
  if :: pending[y] && !isFree[y] -> isFree[y] = true :: else fi;
  drainLock[y] = false
}

proctype Writer(byte x) {
  byte seen[READERS];
  byte i, cookie;
#ifdef GRACE_BEFORE_TAKE
  cookie = NEXT;
#endif
#ifdef ENQUEUE_BEFORE_UNLINK
  pending[x] = true;
  isReachable[x] = false;
#else
  isReachable[x] = false;
  pending[x] = true;
#endif
#ifndef GRACE_BEFORE_TAKE
  cookie = NEXT;
#endif
  /* A batch that is full waits. Another one is looked at now and then. */
  if
  :: wait_for(cookie)
  :: skip
  fi;
#ifdef NO_GRACE
  free_word(x)
#else
  if :: sequence >= cookie -> free_word(x) :: else fi
#endif
}

proctype Drainer() {
  byte seen[READERS];
  bool mustBeFree[2];
  byte i, cookie;
  d_step { mustBeFree[0] = pending[0]; mustBeFree[1] = pending[1] };
  if
  :: mustBeFree[0] || mustBeFree[1] ->
    cookie = NEXT;
    wait_for(cookie);
    if :: mustBeFree[0] -> free_word(0) :: else fi;
    if :: mustBeFree[1] -> free_word(1) :: else fi
  :: else
  fi;
  /* All that was pending before the call is free, whichever thread freed it. */
  assert((!mustBeFree[0] || isFree[0]) && (!mustBeFree[1] || isFree[1]))
}

init { atomic { run Writer(0); run Writer(1); run Drainer() } }
