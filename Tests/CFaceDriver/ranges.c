// Pins of many pages.
#include <sys/uio.h>

#include "checks.h"

static const int engines[] = {UP_ENGINE_LOCKED, UP_ENGINE_REFERENCE, UP_ENGINE_SLOT};
#define FOR_EACH_ENGINE(engine) for (size_t engine = 0; engine < sizeof engines / sizeof *engines; engine++)

void test_ranges(void) {
  static const unsigned kinds[] = {0, UP_PIN_WRITE, UP_PIN_WRITE | UP_PIN_LONG_TERM};
  FOR_EACH_ENGINE(engine) {
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
      struct fixture fixture = face_begin(engines[engine], 1024, 0);
      face_fill(fixture.space, 600);
      up_pins pins;
      CHECK_IS(up_space_pin_range(fixture.space, BASE + 8, 600, kinds[kind], &pins), 600);
      CHECK_IS(pins.count, 600);
      up_census census;
      CHECK_OK(up_machine_census(fixture.machine, &census));
      CHECK_IS(census.pins, 600);
      CHECK_OK(up_space_unmap(fixture.space, BASE, 300));
      CHECK_OK(up_machine_flush(fixture.machine));
      // A value may be moved.
      up_pins moved = pins;
      pins.count = 0;
      for (uint64_t page = 0; page < 600; page++)
        CHECK_IS(*(uint64_t *)up_pins_bytes(&moved, page), page + 1);
      CHECK(up_pins_bytes(&moved, 600) == NULL);
      CHECK_OK(up_unpin_range(&moved, 1));
      CHECK_IS(moved.count, 0);
      CHECK_IS(up_unpin_range(&moved, 1), -EINVAL);
      CHECK(up_pins_bytes(&moved, 0) == NULL);
      CHECK_OK(up_machine_census(fixture.machine, &census));
      CHECK_IS(census.pins, 0);
      face_end(fixture);
    }
  }
}

void test_range_errors(void) {
  FOR_EACH_ENGINE(engine) {
    struct fixture fixture = face_begin(engines[engine], 64, 0);
    up_space *space = fixture.space;
    up_pins pins = {7, {0}};
    CHECK_IS(up_space_pin_range(space, BASE, 4, 0, &pins), -EFAULT);
    face_fill(space, 4);
    CHECK_IS(up_space_pin_range(space, BASE, 4, 64, &pins), -EINVAL);
    CHECK_IS(up_space_pin_range(space, BASE, UINT64_MAX, 0, &pins), -EFAULT);
    CHECK_IS(up_space_pin_range(space, BASE, 0, 0, &pins), 0);
    CHECK_IS(pins.count, 0);
    CHECK_OK(up_space_advise(space, BASE, 1, UP_ADVICE_DONT_NEED));
    CHECK_IS(up_space_pin_range(space, BASE, 4, UP_PIN_FAST_ONLY, &pins), 0);
    CHECK_IS(pins.count, 0);
    // Up to the hole.
    CHECK_IS(up_space_pin_range(space, BASE + 2 * PAGE, 4, 0, &pins), 2);
    CHECK_OK(up_unpin_range(&pins, 0));
    CHECK_OK(up_space_protect(space, BASE + 3 * PAGE, 1, UP_READ));
    CHECK_IS(up_space_pin_range(space, BASE, 4, UP_PIN_WRITE, &pins), 3);
    CHECK_OK(up_unpin_range(&pins, 0));
    face_end(fixture);
  }
}

void test_vectors(void) {
  FOR_EACH_ENGINE(engine) {
    struct fixture fixture = face_begin(engines[engine], 2048, 0);
    up_space *space = fixture.space;
    up_pins pins;
    uint64_t next = 0;
    struct iovec vectors[16];
    // 2 MiB behind one entry are one vector.
    const uint64_t huge = UINT64_C(1) << 30;
    CHECK_OK(up_space_map(space, huge, UP_PAGES_PER_HUGE, READ_WRITE, UP_MAP_HUGE, NULL, 0));
    CHECK_IS(up_space_pin_range(space, huge, UP_PAGES_PER_HUGE, UP_PIN_WRITE, &pins), UP_PAGES_PER_HUGE);
    CHECK_IS(up_pins_vectors(&pins, 0, vectors, 16, &next), 1);
    CHECK_IS(next, UP_PAGES_PER_HUGE);
    CHECK_IS(vectors[0].iov_len, UP_PAGES_PER_HUGE * PAGE);
    CHECK(vectors[0].iov_base == up_pins_bytes(&pins, 0));
    CHECK_IS(up_pins_vectors(&pins, 500, vectors, 16, &next), 1);
    CHECK_IS(vectors[0].iov_len, 12 * PAGE);
    CHECK_IS(up_pins_vectors(&pins, UP_PAGES_PER_HUGE, vectors, 16, &next), 0);
    CHECK_IS(up_pins_vectors(&pins, UP_PAGES_PER_HUGE + 1, vectors, 16, &next), -EINVAL);
    CHECK_OK(up_unpin_range(&pins, 1));

    // Every second page: no two are neighbours, or the vector has both.
    face_fill(space, 16);
    for (uint64_t page = 0; page < 16; page += 2)
      CHECK_OK(up_space_advise(space, BASE + page * PAGE, 1, UP_ADVICE_DONT_NEED));
    CHECK_IS(up_space_pin_range(space, BASE, 16, UP_PIN_WRITE, &pins), 16);
    uint64_t bytes = 0, first = 0;
    while (first < pins.count) {
      int64_t written = up_pins_vectors(&pins, first, vectors, 2, &next);
      CHECK(written >= 1 && written <= 2 && next > first);
      if (face_has_failed())
        break;
      CHECK(vectors[0].iov_base == up_pins_bytes(&pins, first));
      for (int64_t index = 0; index < written; index++)
        bytes += vectors[index].iov_len;
      first = next;
    }
    CHECK_IS(bytes, 16 * PAGE);
    CHECK_IS(up_pins_vectors(&pins, 3, NULL, 0, &next), 0);
    CHECK_IS(next, 3);
    CHECK_OK(up_unpin_range(&pins, 1));
    face_end(fixture);
  }
}
