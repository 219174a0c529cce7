// The page cache over a real file.
#include <fcntl.h>
#include <unistd.h>

#include "checks.h"

/// The word at an offset of a file, as another program reads it.
static uint64_t word_of_file(const char *path, off_t offset) {
  uint64_t value = UINT64_MAX;
  int file = open(path, O_RDONLY);
  CHECK(file >= 0);
  CHECK_IS(pread(file, &value, sizeof value, offset), sizeof value);
  close(file);
  return value;
}

static off_t length_of_file(const char *path) {
  int file = open(path, O_RDONLY);
  off_t length = lseek(file, 0, SEEK_END);
  close(file);
  return length;
}

void test_cache(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 128, 0);
  char path[4096];
  snprintf(path, sizeof path, "%s", face_path("cached"));
  up_backing *cache;
  CHECK_OK(up_cache_open(fixture.machine, path, &(up_cache_options){.limit = 32, .stability = UP_STABILITY_ADAPTS}, &cache));
  CHECK_OK(up_file_resize(cache, 16 * PAGE));
  CHECK_IS(up_backing_page_count(cache), 16);
  CHECK_OK(up_space_map(fixture.space, BASE, 16, READ_WRITE, UP_MAP_SHARED, cache, 0));
  CHECK_OK(up_space_store_word(fixture.space, BASE + 3 * PAGE, 8, 33));
  up_cache_counters counters;
  CHECK_OK(up_cache_count(cache, &counters));
  CHECK_IS(counters.limit, 32);
  CHECK_IS(counters.dirty_pages, 1);
  CHECK(counters.resident_pages >= 1);
  CHECK_OK(up_cache_sync(cache));
  CHECK_IS(word_of_file(path, 3 * PAGE), 33);
  CHECK_OK(up_cache_count(cache, &counters));
  CHECK_IS(counters.dirty_pages, 0);

  // A pinned page is written from a copy, and stays dirty and in memory.
  up_pin pin;
  CHECK_OK(up_space_pin(fixture.space, BASE + 3 * PAGE, UP_PIN_WRITE, &pin));
  *(uint64_t *)pin.bytes = 34;
  CHECK_OK(up_cache_flush(cache, 3, 1));
  CHECK_IS(word_of_file(path, 3 * PAGE), 34);
  CHECK_OK(up_cache_count(cache, &counters));
  CHECK_IS(counters.copied_pages, 1);
  CHECK_IS(counters.dirty_pages, 1);
  CHECK(up_cache_evict(cache, UINT64_MAX) >= 0);
  CHECK_OK(up_cache_count(cache, &counters));
  CHECK_IS(counters.resident_pages, 1);
  *(uint64_t *)pin.bytes = 35;
  CHECK_OK(up_unpin(&pin, 1));
  CHECK_IS(up_cache_evict(cache, 1), 1);
  CHECK_IS(word_of_file(path, 3 * PAGE), 35);
  CHECK_IS(face_word(fixture.space, BASE + 3 * PAGE), 35);
  CHECK_OK(up_cache_count(cache, &counters));
  CHECK(counters.refaults >= 1);
  // The last end writes what is dirty.
  CHECK_OK(up_space_store_word(fixture.space, BASE, 8, 1));
  CHECK_OK(up_backing_destroy(cache));
  face_end(fixture);
  CHECK_IS(word_of_file(path, 0), 1);
}

void test_cache_errors(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *cache = NULL, *second = NULL;
  char path[4096];
  snprintf(path, sizeof path, "%s", face_path("locked"));
  CHECK_IS(up_cache_open(fixture.machine, face_folder, &(up_cache_options){.limit = 1}, &cache), -EISDIR);
  CHECK_IS(up_cache_open(fixture.machine, face_path("no folder/file"), &(up_cache_options){.limit = 1}, &cache), -ENOENT);
  CHECK_IS(up_cache_open(fixture.machine, path, &(up_cache_options){.limit = 0}, &cache), -EINVAL);
  // An argument that is refused leaves no file behind.
  CHECK(access(path, F_OK) != 0);
  CHECK(cache == NULL);
  CHECK_OK(up_cache_open(fixture.machine, path, &(up_cache_options){.limit = 2}, &cache));
  CHECK_IS(up_cache_open(fixture.machine, path, &(up_cache_options){.limit = 2}, &second), -EBUSY);
  CHECK(second == NULL);
  // A device could store for ever: no long-term pin for writing to a file.
  CHECK_OK(up_file_resize(cache, 4 * PAGE));
  CHECK_OK(up_space_map(fixture.space, BASE, 5, READ_WRITE, UP_MAP_SHARED, cache, 0));
  up_pin pins[3];
  CHECK_IS(up_space_pin(fixture.space, BASE, UP_PIN_WRITE | UP_PIN_LONG_TERM, &pins[0]), -EFAULT);
  // As many pins as there are frames: no other page can come.
  CHECK_OK(up_space_pin(fixture.space, BASE, UP_PIN_WRITE, &pins[0]));
  CHECK_OK(up_space_pin(fixture.space, BASE + PAGE, 0, &pins[1]));
  CHECK_IS(up_space_pin(fixture.space, BASE + 2 * PAGE, 0, &pins[2]), -ENOMEM);
  uint64_t value;
  CHECK_IS(up_space_load_word(fixture.space, BASE + 2 * PAGE, 8, &value), -ENOMEM);
  CHECK_IS(up_space_load_word(fixture.space, BASE + 4 * PAGE, 8, &value), -ENXIO);
  CHECK_OK(up_unpin(&pins[0], 1));
  CHECK_IS(face_word(fixture.space, BASE + 2 * PAGE), 0);
  CHECK_OK(up_unpin(&pins[1], 0));
  CHECK_OK(up_backing_destroy(cache));
  face_end(fixture);
}

void test_cache_in_few_frames(void) {
  static const int engines[] = {UP_ENGINE_LOCKED, UP_ENGINE_REFERENCE, UP_ENGINE_SLOT};
  for (size_t engine = 0; engine < 3; engine++) {
    struct fixture fixture = face_begin(engines[engine], 128, 0);
    up_backing *cache;
    char path[4096];
    snprintf(path, sizeof path, "%s", face_path("few"));
    unlink(path);
    CHECK_OK(up_cache_open(fixture.machine, path, &(up_cache_options){.limit = 8}, &cache));
    CHECK_OK(up_file_resize(cache, 64 * PAGE));
    CHECK_OK(up_space_map(fixture.space, BASE, 64, READ_WRITE, UP_MAP_SHARED, cache, 0));
    for (uint64_t turn = 0; turn < 3 * 64; turn++) {
      up_pin pin;
      CHECK_OK(up_space_pin(fixture.space, BASE + turn * 7 % 64 * PAGE, UP_PIN_WRITE, &pin));
      if (face_has_failed())
        break;
      *(uint64_t *)pin.bytes += turn * 7 % 64;
      CHECK_OK(up_unpin(&pin, 1));
      up_cache_counters counters;
      CHECK_OK(up_cache_count(cache, &counters));
      CHECK(counters.resident_pages <= 8);
    }
    CHECK_OK(up_cache_sync(cache));
    for (uint64_t page = 0; page < 64; page++)
      CHECK_IS(word_of_file(path, (off_t)(page * PAGE)), 3 * page);
    CHECK_OK(up_backing_destroy(cache));
    face_end(fixture);
  }
}

void test_cache_length(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *cache;
  char path[4096];
  snprintf(path, sizeof path, "%s", face_path("length"));
  CHECK_OK(up_cache_open(fixture.machine, path, &(up_cache_options){.limit = 8, .maximum_pages = 4}, &cache));
  uint64_t length;
  CHECK_IS(up_file_write(cache, PAGE + 1, "ab", 2), 2);
  CHECK_OK(up_file_length(cache, &length));
  CHECK_IS(length, PAGE + 3);
  CHECK_OK(up_cache_sync(cache));
  CHECK_IS(length_of_file(path), PAGE + 3);
  CHECK_IS(up_file_write(cache, 4 * PAGE, "x", 1), -EFBIG);
  CHECK_IS(up_file_resize(cache, 5 * PAGE), -EFBIG);
  // Lengths that overflow when they are counted in pages.
  CHECK_IS(up_file_resize(cache, INT64_MAX), -EFBIG);
  CHECK_IS(up_file_resize(cache, UINT64_MAX), -EINVAL);
  CHECK_IS(up_file_write(cache, INT64_MAX - 1, "x", 1), -EFBIG);
  CHECK_IS(up_file_write(cache, INT64_MAX, "x", 1), -EINVAL);
  CHECK_OK(up_space_map(fixture.space, BASE, 4, READ_WRITE, UP_MAP_SHARED, cache, 0));
  char text[2];
  CHECK_OK(up_space_load(fixture.space, BASE + PAGE + 1, text, 2));
  CHECK_IS(memcmp(text, "ab", 2), 0);
  CHECK_OK(up_file_resize(cache, PAGE));
  uint64_t value;
  CHECK_IS(up_space_load_word(fixture.space, BASE + PAGE, 8, &value), -ENXIO);
  CHECK_OK(up_backing_destroy(cache));
  face_end(fixture);
}
