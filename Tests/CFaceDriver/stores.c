// Page caches over a program's own store, with hooks, and pins of their pages.
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <unistd.h>

#include "checks.h"

enum { STORE_PAGES = 16 };

/// A store in memory, which can be told to fail.
struct store {
  char bytes[STORE_PAGES * PAGE];
  atomic_int reads, writes, syncs, releases, stores, batches;
  atomic_int fails;
};

static int store_read(void *context, uint64_t page, const struct iovec *pages, size_t count) {
  struct store *store = context;
  for (size_t index = 0; index < count; index++)
    memcpy(pages[index].iov_base, store->bytes + (page + index) * PAGE, PAGE);
  atomic_fetch_add(&store->reads, 1);
  return atomic_load(&store->fails) ? -EREMOTEIO : 0;
}

static int store_write(void *context, uint64_t page, const struct iovec *pages, size_t count) {
  struct store *store = context;
  if (atomic_load(&store->fails))
    return -ENOSPC;
  for (size_t index = 0; index < count; index++)
    memcpy(store->bytes + (page + index) * PAGE, pages[index].iov_base, PAGE);
  atomic_fetch_add(&store->writes, 1);
  return 0;
}

static int store_resize(void *context, uint64_t length) {
  (void)context;
  return length <= STORE_PAGES * PAGE ? 0 : -EFBIG;
}

static int store_punch(void *context, uint64_t first_page, uint64_t pages) {
  struct store *store = context;
  memset(store->bytes + first_page * PAGE, 0, pages * PAGE);
  return 0;
}

static int store_sync(void *context) {
  atomic_fetch_add(&((struct store *)context)->syncs, 1);
  return 0;
}

static void store_release(void *context) { atomic_fetch_add(&((struct store *)context)->releases, 1); }

static int hook_store(void *context, uint64_t page) {
  atomic_fetch_add(&((struct store *)context)->stores, 1);
  return page == 9 ? -EDQUOT : 0;
}

static int hook_write_back(void *context, const uint64_t *pages, size_t count) {
  struct store *store = context;
  for (size_t index = 1; index < count; index++)
    CHECK(pages[index - 1] < pages[index]);
  CHECK(count > 0 && pages[count - 1] < STORE_PAGES);
  atomic_fetch_add(&store->batches, 1);
  return atomic_load(&store->fails) ? -EIO : 0;
}

static const up_store_operations all_operations = {
    .length = STORE_PAGES * PAGE, .read = store_read, .write = store_write, .resize = store_resize,
    .punch_hole = store_punch, .sync = store_sync, .release = store_release};

void test_a_store_of_callbacks(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 128, 0);
  static struct store store;
  memset(&store, 0, sizeof store);
  *(uint64_t *)(store.bytes + 3 * PAGE) = 3;
  up_store_operations operations = all_operations;
  operations.context = &store;
  up_cache_options options = {
      .limit = 8, .context = &store, .will_store = hook_store, .will_write_back = hook_write_back,
      .release = store_release, .stability = UP_STABILITY_COPIES};
  up_backing *cache = NULL;
  // What cannot be made is not released.
  options.stability = 4;
  CHECK_IS(up_cache_create(fixture.machine, &operations, &options, &cache), -EINVAL);
  options.stability = UP_STABILITY_COPIES;
  operations.sync = NULL;
  CHECK_IS(up_cache_create(fixture.machine, &operations, &options, &cache), -EINVAL);
  operations.sync = store_sync;
  CHECK_IS(up_cache_create(fixture.machine, &operations, NULL, &cache), -EINVAL);
  CHECK(cache == NULL);
  CHECK_IS(atomic_load(&store.releases), 0);
  CHECK_OK(up_cache_create(fixture.machine, &operations, &options, &cache));
  CHECK_OK(up_space_map(fixture.space, BASE, STORE_PAGES, READ_WRITE, UP_MAP_SHARED, cache, 0));
  CHECK_IS(face_word(fixture.space, BASE + 3 * PAGE), 3);
  CHECK(up_cache_is_resident(cache, 3) == 1 && up_cache_is_resident(cache, STORE_PAGES) == 0);
  CHECK_IS(atomic_load(&store.stores), 0);
  CHECK_OK(up_space_store_word(fixture.space, BASE + 3 * PAGE, 8, 30));
  CHECK(atomic_load(&store.stores) >= 1);
  CHECK_IS(up_space_store_word(fixture.space, BASE + 9 * PAGE, 8, 90), -ENXIO);
  CHECK_OK(up_cache_sync(cache));
  CHECK_IS(*(uint64_t *)(store.bytes + 3 * PAGE), 30);
  CHECK(atomic_load(&store.batches) >= 1 && atomic_load(&store.syncs) >= 1);
  // A hook that fails, and a store that fails: the page stays dirty, the error is reported once.
  CHECK_OK(up_space_store_word(fixture.space, BASE + 3 * PAGE, 8, 31));
  atomic_store(&store.fails, 1);
  CHECK_IS(up_cache_sync(cache), -EIO);
  uint64_t value;
  CHECK_IS(up_file_read(cache, 15 * PAGE, &value, 8), -EREMOTEIO);
  atomic_store(&store.fails, 0);
  up_cache_counters counters;
  CHECK_OK(up_cache_count(cache, &counters));
  CHECK_IS(counters.dirty_pages, 1);
  CHECK(counters.misses >= 2);
  CHECK_OK(up_cache_sync(cache));
  CHECK_IS(*(uint64_t *)(store.bytes + 3 * PAGE), 31);
  // Another hand changes the file.
  *(uint64_t *)(store.bytes + 3 * PAGE) = 300;
  CHECK_IS(face_word(fixture.space, BASE + 3 * PAGE), 31);
  CHECK_OK(up_cache_invalidate(cache));
  CHECK_IS(face_word(fixture.space, BASE + 3 * PAGE), 300);
  CHECK_OK(up_file_punch_hole(cache, 3, 1));
  CHECK_IS(face_word(fixture.space, BASE + 3 * PAGE), 0);
  CHECK_IS(up_file_resize(cache, (STORE_PAGES + 1) * PAGE), -EFBIG);
  CHECK_OK(up_file_resize(cache, 2 * PAGE));
  CHECK_IS(up_backing_page_count(cache), 2);
  CHECK_IS(atomic_load(&store.releases), 0);
  CHECK_OK(up_backing_destroy(cache));
  CHECK_OK(up_space_exit(fixture.space));
  CHECK_OK(up_machine_flush(fixture.machine));
  // Of the store and of the hooks.
  CHECK_IS(atomic_load(&store.releases), 2);
  face_end(fixture);
}

void test_errors_are_reported_to_each_handle(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 128, 0);
  static struct store store;
  memset(&store, 0, sizeof store);
  up_store_operations operations = all_operations;
  operations.context = &store;
  up_backing *cache = NULL;
  up_cache_handle *first = NULL, *second = NULL, *late = NULL;
  CHECK_OK(up_cache_create(fixture.machine, &operations, &(up_cache_options){.limit = 8}, &cache));
  CHECK_OK(up_cache_handle_create(cache, &first));
  CHECK_OK(up_cache_handle_create(cache, &second));
  CHECK_OK(up_cache_handle_sync(first));
  CHECK_IS(up_file_write(cache, 0, "a", 1), 1);
  atomic_store(&store.fails, 1);
  // The write-back of any call: each of the three users gets its error once, whatever the others got.
  CHECK_OK(up_cache_flush(cache, 0, 1));
  atomic_store(&store.fails, 0);
  CHECK_IS(up_cache_handle_check(first), -ENOSPC);
  CHECK_OK(up_cache_handle_check(first));
  CHECK_OK(up_cache_handle_sync(first));
  CHECK_IS(store.bytes[0], 'a');
  // It came after the error, which another user has seen.
  CHECK_OK(up_cache_handle_create(cache, &late));
  CHECK_OK(up_cache_handle_sync(late));
  CHECK_IS(up_cache_handle_sync(second), -ENOSPC);
  CHECK_OK(up_cache_handle_sync(second));
  CHECK_IS(up_cache_sync(cache), -ENOSPC);
  CHECK_OK(up_cache_sync(cache));
  CHECK_OK(up_cache_handle_destroy(late));
  CHECK_IS(up_cache_handle_destroy(late), -EINVAL);
  // A sync that fails is the error of the call, and of each other user.
  CHECK_IS(up_file_write(cache, 0, "b", 1), 1);
  atomic_store(&store.fails, 1);
  CHECK_IS(up_cache_handle_sync(second), -ENOSPC);
  // No other user has seen the next one: it is the one's too that comes late.
  CHECK_OK(up_cache_flush(cache, 0, 1));
  CHECK_OK(up_cache_handle_create(cache, &late));
  CHECK_IS(up_cache_handle_check(late), -ENOSPC);
  atomic_store(&store.fails, 0);
  CHECK_IS(up_cache_handle_sync(first), -ENOSPC);
  CHECK_OK(up_cache_handle_destroy(first));
  CHECK_OK(up_cache_handle_destroy(second));
  // A handle keeps the cache, and the machine, after the backing's end.
  CHECK_IS(up_file_write(cache, 0, "c", 1), 1);
  CHECK_OK(up_backing_destroy(cache));
  CHECK_IS(store.bytes[0], 'b');
  CHECK_IS(up_machine_destroy(fixture.machine), -EBUSY);
  CHECK_OK(up_cache_handle_check(late));
  CHECK_OK(up_cache_handle_sync(late));
  CHECK_IS(store.bytes[0], 'c');
  CHECK_OK(up_cache_handle_destroy(late));
  CHECK_OK(up_machine_flush(fixture.machine));
  CHECK_IS(atomic_load(&store.releases), 1);
  face_end(fixture);
}

void test_pages_of_a_cache_are_pinned(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 128, 0);
  char path[4096];
  snprintf(path, sizeof path, "%s", face_path("pinned"));
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(file >= 0);
  uint64_t word = 7;
  CHECK_IS(pwrite(file, &word, sizeof word, 5 * PAGE), sizeof word);
  CHECK_OK(ftruncate(file, 8 * PAGE));
  up_backing *cache = NULL;
  up_cache_options options = {.limit = 4, .refuses_stores = 1, .uses_calls = 1};
  CHECK_IS(up_cache_open_descriptor(fixture.machine, -1, &options, &cache), -EBADF);
  options.limit = 0;
  CHECK_IS(up_cache_open_descriptor(fixture.machine, file, &options, &cache), -EINVAL);
  CHECK_IS(fcntl(file, F_GETFD) >= 0, 1);
  options.limit = 4;
  CHECK_OK(up_cache_open_descriptor(fixture.machine, file, &options, &cache));
  // A pin without a mapping, of the page that `up_file_write` changes in place.
  up_pin pin, beyond = {NULL, {0}};
  CHECK_OK(up_cache_pin(cache, 5, &pin));
  CHECK_IS(*(uint64_t *)pin.bytes, 7);
  word = 8;
  CHECK_IS(up_file_write(cache, 5 * PAGE, &word, sizeof word), sizeof word);
  CHECK_IS(*(uint64_t *)pin.bytes, 8);
  CHECK_IS(up_cache_pin(cache, 8, &beyond), -ENXIO);
  CHECK(beyond.bytes == NULL);
  CHECK(up_cache_evict(cache, 8) >= 0);
  CHECK_IS(up_cache_is_resident(cache, 5), 1);
  CHECK_OK(up_unpin(&pin, 0));
  CHECK_IS(up_cache_evict(cache, 8), 1);
  CHECK_IS(up_cache_is_resident(cache, 5), 0);
  up_cache_counters counters;
  CHECK_OK(up_cache_count(cache, &counters));
  CHECK(counters.evicted_pages >= 1 && counters.misses >= 1);
  // No mapping may store.
  CHECK_OK(up_space_map(fixture.space, BASE, 8, READ_WRITE, UP_MAP_SHARED, cache, 0));
  CHECK_IS(face_word(fixture.space, BASE + 5 * PAGE), 8);
  CHECK_IS(up_space_store_word(fixture.space, BASE + 5 * PAGE, 8, 9), -ENXIO);
  up_backing *memory;
  CHECK_OK(up_memory_file_create(fixture.machine, 1, 1, &memory));
  CHECK_IS(up_cache_pin(memory, 0, &pin), -EINVAL);
  CHECK_IS(up_cache_is_resident(memory, 0), -EINVAL);
  CHECK_IS(up_cache_invalidate(memory), -EINVAL);
  CHECK_OK(up_backing_destroy(memory));
  CHECK_OK(up_backing_destroy(cache));
  face_end(fixture);
}
