// Pins against unmap and fork, and handles against each other, from threads of C.
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "checks.h"

enum { RACE_PAGES = 16, RACE_PINNERS = 2 };

struct race {
  struct fixture fixture;
  atomic_int stops;
  atomic_long pinned, changed;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/// Runs both kinds of threads until the time is up and each has done something.
static void run(struct race *race, void *(*pins)(void *), void *(*changes)(void *)) {
  pthread_t threads[RACE_PINNERS + 1];
  for (int index = 0; index <= RACE_PINNERS; index++)
    CHECK_OK(pthread_create(&threads[index], NULL, index < RACE_PINNERS ? pins : changes, race));
  double end = now() + face_seconds, latest = end + 20;
  while (!face_has_failed() && now() < latest) {
    struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
    if (now() >= end && atomic_load(&race->pinned) > 100 && atomic_load(&race->changed) > 10)
      break;
  }
  atomic_store(&race->stops, 1);
  for (int index = 0; index <= RACE_PINNERS; index++)
    pthread_join(threads[index], NULL);
  CHECK(atomic_load(&race->pinned) > 100);
  CHECK(atomic_load(&race->changed) > 10);
}

/// The word of a page that other threads store to, as hardware loads it.
static uint64_t racy_word(void *bytes) { return __atomic_load_n((uint64_t *)bytes, __ATOMIC_ACQUIRE); }

/// Every page of the space holds its number plus 1, or 0 before it was stored to. A pinned page that was unmapped keeps
/// what it had, and no other page gets its frame.
static void *pin_beside_unmap(void *context) {
  struct race *race = context;
  uint64_t turn = (uint64_t)(uintptr_t)&turn >> 12;
  while (!atomic_load(&race->stops)) {
    uint64_t page = (face_turn(&turn) >> 33) % RACE_PAGES;
    up_pin pin;
    int code = up_space_pin(race->fixture.space, BASE + page * PAGE, turn >> 40 & 1 ? UP_PIN_WRITE : 0, &pin);
    if (code) {
      CHECK_IS(code, -EFAULT);
      continue;
    }
    uint64_t first = racy_word(pin.bytes);
    CHECK(first == 0 || first == page + 1);
    for (int look = 0; look < 50; look++) {
      uint64_t again = racy_word(pin.bytes);
      CHECK(again == first || (first == 0 && again == page + 1));
      first = again;
    }
    CHECK_OK(up_unpin(&pin, 0));
    up_pins pins;
    int64_t count = up_space_pin_range(race->fixture.space, BASE, RACE_PAGES, 0, &pins);
    if (count > 0) {
      for (uint64_t index = 0; index < pins.count; index++) {
        uint64_t word = racy_word(up_pins_bytes(&pins, index));
        CHECK(word == 0 || word == index + 1);
      }
      CHECK_OK(up_unpin_range(&pins, 0));
    } else {
      CHECK(count == 0 || count == -EFAULT);
    }
    atomic_fetch_add(&race->pinned, 1);
    if (face_has_failed())
      break;
  }
  return NULL;
}

static void *unmap_and_map(void *context) {
  struct race *race = context;
  up_space *space = race->fixture.space;
  for (uint64_t turn = 0; !atomic_load(&race->stops); turn++) {
    uint64_t page = turn % RACE_PAGES;
    CHECK_OK(up_space_unmap(space, BASE + page * PAGE, 1));
    CHECK_OK(up_space_map(space, BASE + page * PAGE, 1, READ_WRITE, 0, NULL, 0));
    CHECK_OK(up_space_store_word(space, BASE + page * PAGE, 8, page + 1));
    atomic_fetch_add(&race->changed, 1);
  }
  return NULL;
}

static void race_with(void *(*pins)(void *), void *(*changes)(void *)) {
  static const int engines[] = {UP_ENGINE_LOCKED, UP_ENGINE_REFERENCE, UP_ENGINE_SLOT};
  for (size_t engine = 0; engine < 3; engine++) {
    struct race race = {.fixture = face_begin(engines[engine], 256, 0)};
    face_fill(race.fixture.space, RACE_PAGES);
    run(&race, pins, changes);
    face_end(race.fixture);
  }
}

void test_pins_race_with_unmap(void) { race_with(pin_beside_unmap, unmap_and_map); }

/// A holder that stores through its pin must see its stores in the program's page, whatever forks meanwhile. A page has
/// one holder at a time: each thread has its own.
static void *pin_beside_fork(void *context) {
  struct race *race = context;
  static atomic_uint next;
  uint64_t page = atomic_fetch_add(&next, 1) % RACE_PAGES, address = BASE + page * PAGE + 8;
  uint64_t value = (page + 1) << 32;
  CHECK_OK(up_space_store_word(race->fixture.space, address, 8, value));
  while (!atomic_load(&race->stops) && !face_has_failed()) {
    up_pin pin;
    CHECK_OK(up_space_pin(race->fixture.space, address, UP_PIN_WRITE, &pin));
    if (face_has_failed())
      break;
    CHECK_IS(racy_word((char *)pin.bytes + 8), value);
    __atomic_store_n((uint64_t *)((char *)pin.bytes + 8), ++value, __ATOMIC_RELEASE);
    CHECK_IS(face_word(race->fixture.space, address), value);
    CHECK_OK(up_unpin(&pin, 1));
    CHECK_IS(face_word(race->fixture.space, address), value);
    atomic_fetch_add(&race->pinned, 1);
  }
  return NULL;
}

static void *fork_and_store(void *context) {
  struct race *race = context;
  while (!atomic_load(&race->stops)) {
    up_space *child;
    CHECK_OK(up_space_fork(race->fixture.space, &child));
    if (face_has_failed())
      break;
    // The child's pages are its own: these stores reach no pin of the parent.
    for (uint64_t page = 0; page < RACE_PAGES; page++)
      CHECK_OK(up_space_store_word(child, BASE + page * PAGE + 8, 8, UINT64_MAX - 1));
    CHECK_OK(up_space_destroy(child));
    atomic_fetch_add(&race->changed, 1);
  }
  return NULL;
}

void test_pins_race_with_fork(void) { race_with(pin_beside_fork, fork_and_store); }

static void *make_and_end(void *context) {
  struct race *race = context;
  while (!atomic_load(&race->stops) && !face_has_failed()) {
    up_space *space;
    up_backing *file;
    up_mirror *mirror;
    CHECK_OK(up_space_create(race->fixture.machine, UP_ENGINE_SLOT, &space));
    CHECK_OK(up_memory_file_create(race->fixture.machine, 1, 1, &file));
    CHECK_OK(up_mirror_create(space, BASE, 1, UP_READ, &mirror));
    CHECK_OK(up_space_map(space, BASE, 1, READ_WRITE, UP_MAP_SHARED, file, 0));
    CHECK_OK(up_space_store_word(space, BASE, 8, 3));
    CHECK_OK(up_backing_destroy(file));
    CHECK_OK(up_space_destroy(space));
    CHECK_OK(up_mirror_destroy(mirror));
    atomic_fetch_add(&race->pinned, 1);
  }
  return NULL;
}

static void *destroy_in_vain(void *context) {
  struct race *race = context;
  while (!atomic_load(&race->stops)) {
    CHECK_IS(up_machine_destroy(race->fixture.machine), -EBUSY);
    atomic_fetch_add(&race->changed, 1);
  }
  return NULL;
}

/// Handles are made and ended by several threads. The machine has a space all the time, so that its end is refused each
/// time.
void test_handles_race(void) {
  struct race race = {.fixture = face_begin(UP_ENGINE_SLOT, 256, 0)};
  run(&race, make_and_end, destroy_in_vain);
  face_end(race.fixture);
}
