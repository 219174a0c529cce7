// A plain store beside an atomic load is a race, whatever the load's order.
//
// fails: data race
#include "litmus.h"

static atomic_int x;

THREAD(a) { *(int *)&x = 1; }
THREAD(b) { LOAD(x, seq_cst); }

TEST { RUN(a, b); }
