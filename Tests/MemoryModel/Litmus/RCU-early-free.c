// The writer frees without a grace period.
//
// fails: use after free
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
