// Another program cuts a cached file under threads that load, store, pin, write and sync. A mapping of the system would
// end them by SIGBUS.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "checks.h"

enum { CUT_PAGES = 64, CUT_LIMIT = 16, CUT_THREADS = 5, CUT_ROUNDS = 20 };

struct cut {
  struct fixture fixture;
  up_backing *cache;
  atomic_int stops;
  // Of each thread: calls that succeeded, and calls that reported an error.
  atomic_long done[CUT_THREADS], failed[CUT_THREADS];
};

struct cut_thread {
  struct cut *cut;
  int number;
};

/// The word of a page is its number plus 1 from the beginning on. The cut makes it 0, where a later write has made the
/// file longer again.
static void check_word(uint64_t page, uint64_t word) { CHECK(word == page + 1 || word == 0); }

/// Notes what a call came to. A lost page is -ENXIO for an access and -EIO for a read or a sync, and a pin that could
/// fault it in not -EFAULT only: no other error comes.
static void note(struct cut_thread *thread, int64_t code) {
  CHECK(code >= 0 || code == -ENXIO || code == -EIO || code == -EFAULT);
  atomic_fetch_add(code < 0 ? &thread->cut->failed[thread->number] : &thread->cut->done[thread->number], 1);
}

static void *use(void *context) {
  struct cut_thread *thread = context;
  struct cut *cut = thread->cut;
  up_space *space = cut->fixture.space;
  up_cache_handle *handle;
  CHECK_OK(up_cache_handle_create(cut->cache, &handle));
  uint64_t turn = (uint64_t)thread->number;
  while (!atomic_load(&cut->stops) && !face_has_failed()) {
    uint64_t page = (face_turn(&turn) >> 33) % CUT_PAGES, address = BASE + page * PAGE, word = page + 1;
    int64_t code = 0;
    switch (thread->number) {
    case 0:
      code = up_space_load_word(space, address, 8, &word);
      if (code == 0)
        check_word(page, word);
      break;
    case 1:
      code = up_space_store_word(space, address, 8, word);
      break;
    case 2: {
      up_pin pin;
      code = up_space_pin(space, address, UP_PIN_WRITE, &pin);
      if (code == 0) {
        check_word(page, __atomic_load_n((uint64_t *)pin.bytes, __ATOMIC_ACQUIRE));
        __atomic_store_n((uint64_t *)pin.bytes, word, __ATOMIC_RELEASE);
        CHECK_OK(up_unpin(&pin, 1));
      }
      break;
    }
    case 3:
      code = up_file_read(cut->cache, page * PAGE, &word, sizeof word);
      if (code == sizeof word)
        check_word(page, word);
      break;
    default:
      // A part of a page: it is read first.
      code = up_file_write(cut->cache, page * PAGE, &word, sizeof word);
      if (turn >> 40 & 1)
        code = up_cache_handle_sync(handle);
    }
    note(thread, code);
  }
  // What the write-back met is reported. A cut file can be written, so there is nothing.
  CHECK_OK(up_cache_handle_sync(handle));
  CHECK_OK(up_cache_handle_destroy(handle));
  return NULL;
}

/// The sum over all threads.
static long sum(atomic_long *counts) {
  long sum = 0;
  for (int index = 0; index < CUT_THREADS; index++)
    sum += atomic_load(&counts[index]);
  return sum;
}

/// Waits until as many more calls were made, of each outcome or of both together.
static void wait_for(atomic_long *counts, long more) {
  for (long before = sum(counts), turn = 0; turn < 20000 && sum(counts) < before + more && !face_has_failed(); turn++)
    usleep(1000);
}

/// Errors and no signal while the file is cut again and again; and afterwards each page that is lost is an error, of
/// each kind of access.
void test_a_file_is_cut_beside_writers(void) {
  struct cut cut = {.fixture = face_begin(UP_ENGINE_SLOT, 256, 0)};
  char path[4096];
  snprintf(path, sizeof path, "%s", face_path("cut"));
  CHECK_OK(up_cache_open(cut.fixture.machine, path, &(up_cache_options){.limit = CUT_LIMIT}, &cut.cache));
  for (uint64_t page = 0, word = 1; page < CUT_PAGES; page++, word++)
    CHECK_IS(up_file_write(cut.cache, page * PAGE, &word, sizeof word), sizeof word);
  CHECK_OK(up_file_resize(cut.cache, CUT_PAGES * PAGE));
  CHECK_OK(up_cache_sync(cut.cache));
  CHECK_OK(up_space_map(cut.fixture.space, BASE, CUT_PAGES, READ_WRITE, UP_MAP_SHARED, cut.cache, 0));
  pthread_t threads[CUT_THREADS];
  struct cut_thread contexts[CUT_THREADS];
  for (int index = 0; index < CUT_THREADS; index++) {
    contexts[index] = (struct cut_thread){&cut, index};
    CHECK_OK(pthread_create(&threads[index], NULL, use, &contexts[index]));
  }
  // No lock of the file is asked for: the other program does not know the library.
  int file = open(path, O_RDWR);
  CHECK(file >= 0);
  for (int round = 0; round < CUT_ROUNDS && !face_has_failed(); round++) {
    wait_for(cut.done, 200);
    CHECK_OK(ftruncate(file, round % 2 ? PAGE : 5 * PAGE));
    wait_for(cut.failed, 1);
  }
  atomic_store(&cut.stops, 1);
  for (int index = 0; index < CUT_THREADS; index++)
    pthread_join(threads[index], NULL);
  CHECK(sum(cut.failed) >= CUT_ROUNDS);

  // Nothing is dirty or pinned, so all goes out of memory; and then out of the file.
  CHECK(up_cache_evict(cut.cache, UINT64_MAX) >= 0);
  CHECK_OK(ftruncate(file, PAGE));
  for (uint64_t page = 1; page < CUT_PAGES; page++) {
    uint64_t word = 0;
    up_pin pin;
    CHECK_IS(up_space_load_word(cut.fixture.space, BASE + page * PAGE, 8, &word), -ENXIO);
    CHECK_IS(up_space_store_word(cut.fixture.space, BASE + page * PAGE, 8, 1), -ENXIO);
    CHECK_IS(up_space_pin(cut.fixture.space, BASE + page * PAGE, UP_PIN_WRITE, &pin), -EFAULT);
    CHECK_IS(up_cache_pin(cut.cache, page, &pin), -EIO);
    CHECK_IS(up_file_read(cut.cache, page * PAGE, &word, sizeof word), -EIO);
    CHECK_IS(up_file_write(cut.cache, page * PAGE, &word, sizeof word), -EIO);
  }
  CHECK_OK(up_cache_sync(cut.cache));
  CHECK_IS(lseek(file, 0, SEEK_END), PAGE);
  close(file);
  CHECK_OK(up_backing_destroy(cut.cache));
  face_end(cut.fixture);
}
