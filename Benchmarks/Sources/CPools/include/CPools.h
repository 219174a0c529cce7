#ifndef CPOOLS_H
#define CPOOLS_H

#include <stddef.h>
#include <stdint.h>

/// What one would take instead of a page cache behind mappings: pools of pages that a program asks for each page.

/// An access to a page of the file, as `Draw` in Swift encodes it: the page's number, and the highest bit for a store.
enum { pool_store_bit = 31 };

/// A pool. `create` makes one of `limit` pages over the file at `path`, or returns NULL. `access` gets each drawn page,
/// loads or stores a word and lets the page go. It returns how many accesses failed. `misses` counts the pages read.
struct pool_subject {
  const char *name;
  void *(*create)(const char *path, size_t limit);
  uint64_t (*access)(void *pool, const uint32_t *draws, size_t count);
  uint64_t (*misses)(void *pool);
  void (*destroy)(void *pool);
};

/// A hash table, a list in the order of use, one mutex for both, and direct I/O.
extern const struct pool_subject pool_textbook;

/// RocksDB's block cache with its defaults, and direct I/O. It keeps no page that the file lacks, so a store is written
/// at once. `create` returns NULL where it was not installed.
extern const struct pool_subject pool_rocksdb;

#endif
