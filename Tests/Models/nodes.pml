/* Linking table nodes against unlinking them: no node is lost, freed while a walker is in it, freed with a link in it, or given
 * back twice.
 *
 * Three levels: the root has one entry, which leads to an upper node with one entry, which leads to a middle node with two,
 * which lead to lowest nodes. Two faults go down to different lowest nodes, making what is missing; one thread unlinks the upper
 * node and collects what hangs below.
 *
 *   PageTables/PageTable.swift         makeNodes                 [link-then-look]
 *   PageTables/PageTable+Unlinking.swift  unlinkNodes, collect      [link-then-look]
 *
 * Mutations: NO_LOOK_UP, TAKE_BACK_ALONE, COLLECT_BEFORE_UNLINK, FREE_WITHOUT_GRACE. */
#define READERS 2
inline flush_stores() { skip }
#include "rcu.h"
#define NODES 7
/* Node 0 is the root. A link is a node's number, 0 for none. */
byte left[NODES];
byte right[NODES];
bool isFree[NODES];
bool isRetired[NODES];
byte next = 1;
byte done;

inline touch(n) { assert(!isFree[n]) }

inline retire(n) {
  d_step {
    assert(!isRetired[n]);
    isRetired[n] = true;
#ifdef FREE_WITHOUT_GRACE
    assert(left[n] == 0 && right[n] == 0);
    isFree[n] = true
#endif
  }
}

/* Collects a node at depth 2: its links are taken one by one. */
inline collect_middle(n) {
  touch(n);
  d_step { c = left[n]; left[n] = 0 };
  if :: c != 0 -> retire(c) :: else fi;
  d_step { c = right[n]; right[n] = 0 };
  if :: c != 0 -> retire(c) :: else fi;
  retire(n)
}

proctype Fault(byte me) {
  byte upper, middle, lowest, fresh, c;
  enter(me);
  /* The root is never unlinked: no look upward. */
  upper = left[0];
  if
  :: upper == 0 ->
    d_step { fresh = next; next++ };
    atomic {
      if
      :: left[0] == 0 -> left[0] = fresh
      :: else -> isRetired[fresh] = true; isFree[fresh] = true
      fi
    };
    upper = left[0];
    if :: upper == 0 -> goto out :: else fi
  :: else
  fi;
  touch(upper);
  middle = left[upper];
  if
  :: middle == 0 ->
    d_step { fresh = next; next++ };
    atomic {
      if
      :: left[upper] == 0 -> left[upper] = fresh
      :: else -> isRetired[fresh] = true; isFree[fresh] = true; fresh = 0
      fi
    };
#ifndef NO_LOOK_UP
    if
    :: fresh != 0 && left[0] != upper ->
      atomic {
        if
        :: left[upper] == fresh -> left[upper] = 0
        :: else -> goto out
        fi
      };
#ifdef TAKE_BACK_ALONE
      retire(fresh);
#else
      collect_middle(fresh);
#endif
      goto out
    :: else
    fi;
#endif
    middle = left[upper];
    if :: middle == 0 -> goto out :: else fi
  :: else
  fi;
  touch(middle);
  d_step { fresh = next; next++ };
  if
  :: me == 0 -> left[middle] = fresh
  :: else -> right[middle] = fresh
  fi;
#ifndef NO_LOOK_UP
  if
  :: left[upper] != middle ->
    atomic {
      if
      :: me == 0 && left[middle] == fresh -> left[middle] = 0
      :: me == 1 && right[middle] == fresh -> right[middle] = 0
      :: else -> goto out
      fi
    };
    retire(fresh);
    goto out
  :: else
  fi;
#endif
  /* The entry is in the lowest node: the fault touches it. */
  touch(fresh);
out:
  skip;
  d_step { section[me]++; done++ }
}

proctype Unlinker() {
  byte upper, middle, c, i;
  byte seen[READERS];
  upper = left[0];
  if
  :: upper != 0 ->
#ifdef COLLECT_BEFORE_UNLINK
    d_step { middle = left[upper]; left[upper] = 0 };
    if :: middle != 0 -> collect_middle(middle) :: else fi;
    left[0] = 0;
    retire(upper);
#else
    left[0] = 0;
    d_step { middle = left[upper]; left[upper] = 0 };
    if :: middle != 0 -> collect_middle(middle) :: else fi;
    retire(upper);
#endif
  :: else
  fi;
  grace_period();
  /* What was retired before is freed; a fault may have retired more since, which has its own grace period. */
  (done == 2);
  d_step {
    /* Every node is either reachable from the root, or has been retired, empty. */
    i = 1;
    do
    :: i < next ->
      if
      :: isRetired[i] -> assert(left[i] == 0 && right[i] == 0)
      :: else ->
        upper = left[0];
        assert(upper != 0);
        middle = left[upper];
        assert(i == upper || (middle != 0 && (i == middle || i == left[middle] || i == right[middle])))
      fi;
      i++
    :: else -> break
    od
  }
}

init { atomic { run Fault(0); run Fault(1); run Unlinker() } }
