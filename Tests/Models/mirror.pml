/* A mirror's translation of one page against operations that replace the entry: a translation that stands is what the entry says, no
 * load is believed that read a frame in its next use, and no store lands in one.
 *
 * Operators replace the page's frame and use the old one for something else. Fillers translate the page. A reader loads outside of
 * any section and validates. A writer stores inside one.
 *
 *   PageTables/Translations.swift     (r1) to (r5), (f1) to (f5), (a) to (d), (w1) to (w4)   [revoke-then-change]
 *   AddressSpaces/MirrorList.swift    revoke, end
 *
 * Mutations: NO_LOOK (f4), LATE_SEQUENCE (f1 after f2), BESIDE (f1 ignores revocations under way), CLAIMS_ALIKE (f3), NO_ADVANCE (r1),
 * NO_CLEAR (r2), CHANGE_FIRST (r3 before r1), NO_VALIDATION (d), STORE_OUTSIDE (w1), NO_GRACE. */
#ifndef FILLERS
#define FILLERS 2
#endif
#ifndef OPERATORS
#define OPERATORS 1
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef TURNS
#define TURNS 1
#endif
#define WRITER FILLERS
#define READERS (FILLERS + 1)
inline flush_stores() { skip }
#include "rcu.h"

#define FRAMES (1 + OPERATORS * TURNS)
byte entry;            /* the frame that the page is in */
byte unused = 1;       /* the next frame that no page was in yet */
bool isUsedAgain[FRAMES];

/* Nothing, the claim of a filler, or a translation: the frame after all claims. */
#define NOTHING 0
#ifdef CLAIMS_ALIKE
#define claim_of(me) 1
#else
#define claim_of(me) (1 + (me))
#endif
#define TRANSLATION (1 + FILLERS)
byte word;
byte sequence;
byte underWay;

/* The invariant of (A) and (E). */
active proctype Watch() {
end:
  atomic { (word >= TRANSLATION && word - TRANSLATION != entry); assert(word - TRANSLATION == entry) }
}

proctype Operator() {
  byte turn, old, i;
  byte seen[READERS];
  do
  :: turn < TURNS ->
    turn++;
#ifdef CHANGE_FIRST
    atomic { old = entry; entry = unused; unused++ };
#endif
    /* r1 */
    atomic {
#ifndef NO_ADVANCE
      sequence++;
#endif
      underWay++
    };
    /* r2 */
#ifndef NO_CLEAR
    if :: word != NOTHING -> word = NOTHING :: else fi;
#endif
    /* r3 */
#ifndef CHANGE_FIRST
    atomic { old = entry; entry = unused; unused++ };
#endif
    /* r4 */
    underWay--;
#ifndef NO_GRACE
    grace_period();
#endif
    /* r5 */
    isUsedAgain[old] = true
  :: else -> break
  od
}

proctype Filler(byte me) {
  byte turn, before, found, old;
  bool isQuiet, holds;
  do
  :: turn < ROUNDS ->
    turn++;
    enter(me);
#ifdef LATE_SEQUENCE
    found = entry;
#endif
    /* f1 */
    atomic { before = sequence; isQuiet = (underWay == 0) };
#ifdef BESIDE
    isQuiet = true;
#endif
    if
    :: isQuiet ->
      /* f2 */
#ifndef LATE_SEQUENCE
      found = entry;
#endif
      old = word;
      /* f3 */
      if
      :: atomic { old == word -> word = claim_of(me) };
        /* f4: both numbers are one word of memory */
        atomic {
          holds = (sequence == before && (underWay == 0));
#ifdef BESIDE
          holds = (sequence == before);
#endif
        };
#ifdef NO_LOOK
        holds = true;
#endif
        /* f5 */
        atomic {
          if
          :: word == claim_of(me) -> word = (holds -> TRANSLATION + found : NOTHING)
          :: else
          fi
        }
      :: else
      fi
    :: else
    fi;
    leave(me)
  :: else -> break
  od
}

proctype Reader() {
  byte before, beforeUnderWay, w;
  bool isForeign, isValid;
  /* a */
  atomic { before = sequence; beforeUnderWay = underWay };
  /* b */
  w = word;
  if
  :: w >= TRANSLATION ->
    /* c */
    isForeign = isUsedAgain[w - TRANSLATION];
    /* d */
    isValid = (sequence == before && underWay == beforeUnderWay);
#ifdef NO_VALIDATION
    isValid = true;
#endif
    assert(!(isValid && isForeign))
  :: else
  fi
}

proctype Writer() {
  byte w;
#ifndef STORE_OUTSIDE
  enter(WRITER);
#endif
  w = word;
  if
  :: w >= TRANSLATION -> assert(!isUsedAgain[w - TRANSLATION])
  :: else
  fi;
#ifndef STORE_OUTSIDE
  leave(WRITER)
#endif
}

init {
  byte n;
  atomic {
    n = 0;
    do :: n < OPERATORS -> run Operator(); n++ :: else -> break od;
    n = 0;
    do :: n < FILLERS -> run Filler(n); n++ :: else -> break od;
    run Reader();
    run Writer()
  }
}
