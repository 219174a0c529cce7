// A Treiber stack that frees its nodes when they are popped: another thread still reads them.
//
// fails: use after free
#include "litmus.h"

#include <stdlib.h>

struct node {
  struct node *next;
};
static struct node *_Atomic top;

static void push(void) {
  struct node *node = malloc(sizeof *node), *old = LOAD(top, relaxed);
  do node->next = old;
  while (!atomic_compare_exchange_weak_explicit(&top, &old, node, memory_order_release, memory_order_relaxed));
}

static void pop(void) {
  struct node *node = LOAD(top, acquire);
  while (node && !atomic_compare_exchange_weak_explicit(&top, &node, node->next, memory_order_acquire, memory_order_acquire)) {
  }
  free(node);
}

THREAD(a) {
  push();
  pop();
}

THREAD(b) {
  push();
  pop();
}

TEST { RUN(a, b); }
