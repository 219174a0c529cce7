#include "c_face_driver.h"

#include <pthread.h>
#include <stdlib.h>

#include "checks.h"

const char *face_folder;
double face_seconds;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// Guarded by the lock.
static char *failures;
static int failure_count;

static const struct {
  const char *name;
  void (*run)(void);
} tests[] = {
#define LIST_TEST(name) {#name, test_##name},
    FACE_TESTS(LIST_TEST)};

size_t face_test_count(void) { return sizeof tests / sizeof *tests; }

const char *face_test_name(size_t index) { return tests[index].name; }

char *face_run(size_t index, const char *folder, double seconds) {
  face_folder = folder;
  face_seconds = seconds;
  tests[index].run();
  char *found = failures;
  failures = NULL;
  failure_count = 0;
  return found;
}

void face_note(int holds, const char *file, int line, const char *text, int64_t expected, int64_t found) {
  if (holds)
    return;
  const char *name = strrchr(file, '/');
  char message[512];
  snprintf(message, sizeof message, "%s:%d: %s: %lld, not %lld\n", name ? name + 1 : file, line, text, (long long)found,
           (long long)expected);
  pthread_mutex_lock(&lock);
  // A race may fail a thousand times.
  if (++failure_count <= 10) {
    size_t length = failures ? strlen(failures) : 0;
    failures = realloc(failures, length + strlen(message) + 1);
    strcpy(failures + length, message);
  }
  pthread_mutex_unlock(&lock);
}

int face_has_failed(void) {
  pthread_mutex_lock(&lock);
  int failed = failure_count > 0;
  pthread_mutex_unlock(&lock);
  return failed;
}

const char *face_path(const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", face_folder, name);
  return path;
}

struct fixture face_begin(int engine, uint64_t ram_pages, int swaps) {
  struct fixture made = {NULL, NULL};
  up_machine_options options = {.ram_pages = ram_pages, .swap_pages = swaps ? ram_pages : 0};
  CHECK_OK(up_machine_create(&options, &made.machine));
  CHECK_OK(up_space_create(made.machine, engine, &made.space));
  return made;
}

void face_end(struct fixture fixture) {
  CHECK_OK(up_space_destroy(fixture.space));
  CHECK_OK(up_machine_flush(fixture.machine));
  up_census census;
  CHECK_OK(up_machine_census(fixture.machine, &census));
  CHECK_IS(census.used_pages, 0);
  CHECK_IS(census.table_nodes, 0);
  CHECK_OK(up_machine_destroy(fixture.machine));
}

void face_fill(up_space *space, uint64_t pages) {
  CHECK_OK(up_space_map(space, BASE, pages, READ_WRITE, 0, NULL, 0));
  for (uint64_t page = 0; page < pages; page++)
    CHECK_OK(up_space_store_word(space, BASE + page * PAGE, 8, page + 1));
}

uint64_t face_word(up_space *space, uint64_t address) {
  uint64_t value = UINT64_MAX;
  CHECK_OK(up_space_load_word(space, address, 8, &value));
  return value;
}
