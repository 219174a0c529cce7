// A file of 64 pages in a cache of 16 frames: a C program adds to a counter in each page through pins, and the file has
// the sums.
//
//     cc page_cache.c $(pkg-config --cflags --libs userpages) -o page-cache && ./page-cache [FOLDER]
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <userpages.h>

enum { file_pages = 64, cache_frames = 16, rounds = 3 };
static const uint64_t base = 0x10000000;

/// Ends the program if a call of the library failed.
static void check(int64_t code, const char *what) {
  if (code >= 0)
    return;
  fprintf(stderr, "%s: %s\n", what, strerror((int)-code));
  exit(1);
}

/// Adds its number to the counter of each page. A page that is not in memory is read by direct I/O; another one makes
/// room for it.
static void count_in_all_pages(up_space *space) {
  for (uint64_t page = 0; page < file_pages; page++) {
    up_pin pin;
    check(up_space_pin(space, base + page * UP_PAGE_SIZE, UP_PIN_WRITE, &pin), "up_space_pin");
    *(uint64_t *)pin.bytes += page;
    check(up_unpin(&pin, 1), "up_unpin");
  }
}

/// Reads the file as any other program does, and compares.
static int file_is_right(const char *path) {
  int file = open(path, O_RDONLY);
  if (file < 0)
    return 0;
  int right = 1;
  for (uint64_t page = 0; page < file_pages; page++) {
    uint64_t counter = 0;
    if (pread(file, &counter, sizeof counter, (off_t)(page * UP_PAGE_SIZE)) != sizeof counter ||
        counter != rounds * page)
      right = 0;
  }
  close(file);
  return right;
}

int main(int argc, char **argv) {
  char path[4096];
  snprintf(path, sizeof path, "%s/user-pages-example.%d", argc > 1 ? argv[1] : "/var/tmp", (int)getpid());

  up_machine *machine;
  up_backing *file;
  up_space *space;
  check(up_machine_create(&(up_machine_options){.ram_pages = 256}, &machine), "up_machine_create");
  check(up_cache_open(machine, path, &(up_cache_options){.limit = cache_frames}, &file), "up_cache_open");
  check(up_file_resize(file, file_pages * UP_PAGE_SIZE), "up_file_resize");
  check(up_space_create(machine, UP_ENGINE_SLOT, &space), "up_space_create");
  check(up_space_map(space, base, file_pages, UP_READ | UP_WRITE, UP_MAP_SHARED, file, 0), "up_space_map");

  for (int round = 0; round < rounds; round++)
    count_in_all_pages(space);
  check(up_cache_sync(file), "up_cache_sync");

  up_cache_counters counters;
  check(up_cache_count(file, &counters), "up_cache_count");
  int right = file_is_right(path) && counters.resident_pages <= cache_frames;
  printf("%d pages in at most %d frames, %d now; %d read again; the file is %s\n", (int)file_pages, (int)cache_frames,
         (int)counters.resident_pages, (int)counters.refaults, right ? "right" : "wrong");

  check(up_space_destroy(space), "up_space_destroy");
  check(up_backing_destroy(file), "up_backing_destroy");
  check(up_machine_destroy(machine), "up_machine_destroy");
  unlink(path);
  return right ? 0 : 1;
}
