// liburcu's lock-free hash table from page number to a node with a count.
#include "loops.h"

#include <urcu/rculfhash.h>

struct node {
  struct cds_lfht_node link;
  uint64_t page;
  _Atomic uint64_t count;
};

struct hash {
  struct cds_lfht *table;
  struct node *nodes;
  size_t pages;
};

static inline unsigned long hash_of(uint64_t page) {
  uint64_t mixed = page * 0x9e3779b97f4a7c15ull;
  return mixed ^ (mixed >> 32);
}

static int matches(struct cds_lfht_node *link, const void *key) {
  return caa_container_of(link, struct node, link)->page == *(const uint64_t *)key;
}

static void *create(size_t pages) {
  struct hash *hash = make_zeroed(sizeof *hash, 64);
  size_t buckets = 1;
  while (buckets < pages)
    buckets *= 2;
  hash->pages = pages;
  hash->nodes = make_zeroed(pages * sizeof(struct node), 64);
  hash->table = cds_lfht_new_flavor(buckets, buckets, buckets, 0, &urcu_bp_flavor, NULL);
  if (!hash->table)
    return NULL;
  for (size_t page = 0; page < pages; page++) {
    struct node *node = &hash->nodes[page];
    node->page = page;
    atomic_store(&node->count, 1);
    cds_lfht_node_init(&node->link);
    urcu_bp_read_lock();
    cds_lfht_add(hash->table, hash_of(page), &node->link);
    urcu_bp_read_unlock();
  }
  return hash;
}

static inline __attribute__((always_inline)) struct node *pin_page(struct hash *hash, uint64_t page) {
  struct node *node = NULL;
  struct cds_lfht_iter found;
  _urcu_bp_read_lock();
  cds_lfht_lookup(hash->table, hash_of(page), matches, &page, &found);
  struct cds_lfht_node *link = cds_lfht_iter_get_node(&found);
  if (__builtin_expect(link != NULL, 1)) {
    node = caa_container_of(link, struct node, link);
    atomic_fetch_add(&node->count, 1);
    if (__builtin_expect(cds_lfht_is_node_deleted(link), 0)) {
      atomic_fetch_sub(&node->count, 1);
      node = NULL;
    }
  }
  _urcu_bp_read_unlock();
  return node;
}

static inline __attribute__((always_inline)) void release_page(struct hash *hash, struct node *node) {
  (void)hash;
  atomic_fetch_sub(&node->count, 1);
}

DEFINE_LOOP(struct hash, struct node)
DEFINE_RANGE_LOOP(struct hash, struct node)

static uint64_t leaks(void *context) {
  struct hash *hash = context;
  uint64_t held = 0;
  for (size_t page = 0; page < hash->pages; page++)
    held += atomic_load(&hash->nodes[page].count) - 1;
  return held;
}

static void destroy(void *context) {
  struct hash *hash = context;
  for (size_t page = 0; page < hash->pages; page++) {
    urcu_bp_read_lock();
    cds_lfht_del(hash->table, &hash->nodes[page].link);
    urcu_bp_read_unlock();
  }
  urcu_bp_synchronize_rcu();
  cds_lfht_destroy(hash->table, NULL);
  free(hash->nodes);
  free(hash);
}

const struct floor_subject floor_cds_lfht = {
    .name = "cds_lfht",
    .create = create,
    .loop = loop,
    .range_loop = range_loop,
    .leaks = leaks,
    .destroy = destroy,
};
