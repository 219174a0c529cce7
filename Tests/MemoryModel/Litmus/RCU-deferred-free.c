// A reader in a section; the writer waits for a grace period before it frees.
//
// outcome: r1=1
// outcome: r1=2
#include "litmus.h"

#include <stdlib.h>

struct node {
  int value;
};
static struct node *_Atomic head;
REGISTERS(r1);

THREAD(a) {
  struct node *fresh = malloc(sizeof *fresh);
  fresh->value = 2;
  struct node *old = EXCHANGE(head, fresh, acq_rel);
  mm_synchronize_rcu();
  free(old);
}

THREAD(b) {
  mm_rcu_read_lock();
  r1 = LOAD(head, acquire)->value;
  mm_rcu_read_unlock();
}

TEST {
  struct node *first = malloc(sizeof *first);
  first->value = 1;
  atomic_store(&head, first);
  RUN(a, b);
  OBSERVE(r1);
  free(atomic_load(&head));
}
