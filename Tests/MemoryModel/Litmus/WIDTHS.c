// Atomics of every width, and each kind of update.
//
// outcome: wide=3 xor=6 and=4 or=5 sub=1 nand=-5 old=1 new=9 flag=1
#include "litmus.h"

#include <stdint.h>

static _Atomic uint8_t byte;
static _Atomic uint16_t half;
static _Atomic uint64_t word;
static _Atomic(unsigned __int128) wide;
static _Atomic int8_t small = 5;

THREAD(a) {
  atomic_fetch_add(&wide, (unsigned __int128)1 << 100);
  byte ^= 2;
  half |= 1;
  word += 1;
  small &= 0x7f;
}

THREAD(b) {
  atomic_fetch_add(&wide, (unsigned __int128)2 << 100);
  byte ^= 4;
  half |= 4;
  word -= 1;
  small &= 0x7c;
}

TEST {
  word = 1;
  RUN(a, b);
  mm_observe("wide", (long)(wide >> 100));
  mm_observe("xor", byte);
  mm_observe("and", small);
  mm_observe("or", half);
  mm_observe("sub", word);
  mm_observe("nand", (int8_t)~small);
  mm_observe("old", atomic_exchange(&word, 9));
  mm_observe("new", word);
  uint64_t expected = 9;
  mm_observe("flag", atomic_compare_exchange_weak(&word, &expected, 10));
}
