/* The deferred frees: what was gathered is freed a whole grace period later, once.
 *
 * Two things can be reached; two writers make them unreachable and leave them in a shard; the first thread to come drains it, another
 * drains everything. A reader walks.
 *
 *   RCU/DeferredQueue.swift    enqueue, drainIfFull, drainAll    [deferred-free]
 *
 * Mutations: GRACE_BEFORE_TAKE, NO_GRACE, ENQUEUE_BEFORE_UNLINK. */
#define READERS 1
inline flush_stores() { skip }
#include "rcu.h"
bool isReachable[2] = true;
bool isFree[2];
bool pending[2];
bool drainLock;

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

inline drain() {
#ifdef GRACE_BEFORE_TAKE
  grace_period();
#endif
  d_step { taken[0] = pending[0]; taken[1] = pending[1]; pending[0] = false; pending[1] = false };
#if !defined(GRACE_BEFORE_TAKE) && !defined(NO_GRACE)
  if :: taken[0] || taken[1] -> grace_period() :: else fi;
#endif
  d_step {
    i = 0;
    do
    :: i < 2 -> if :: taken[i] -> assert(!isFree[i]); isFree[i] = true :: else fi; i++
    :: else -> break
    od
  }
}

proctype Writer(byte x) {
  byte seen[READERS];
  bool taken[2];
  byte i;
#ifdef ENQUEUE_BEFORE_UNLINK
  pending[x] = true;
  isReachable[x] = false;
#else
  isReachable[x] = false;
  pending[x] = true;
#endif
  /* Full: drains unless another thread does. */
  if
  :: atomic { !drainLock -> drainLock = true };
     drain();
     drainLock = false
  :: drainLock
  fi
}

proctype Drainer() {
  byte seen[READERS];
  bool taken[2], mustBeFree[2];
  byte i;
  d_step { mustBeFree[0] = pending[0]; mustBeFree[1] = pending[1] };
  atomic { !drainLock -> drainLock = true };
  drain();
  drainLock = false;
  /* All that was pending before the call is free, whichever thread took it. */
  assert((!mustBeFree[0] || isFree[0]) && (!mustBeFree[1] || isFree[1]))
}

init { atomic { run Writer(0); run Writer(1); run Drainer() } }
