// Pins of one page.
#include "checks.h"

static const int engines[] = {UP_ENGINE_LOCKED, UP_ENGINE_REFERENCE, UP_ENGINE_SLOT};
#define FOR_EACH_ENGINE(engine) for (size_t engine = 0; engine < sizeof engines / sizeof *engines; engine++)

void test_pins(void) {
  FOR_EACH_ENGINE(engine) {
    struct fixture fixture = face_begin(engines[engine], 64, 0);
    up_space *space = fixture.space;
    face_fill(space, 3);
    up_pin pin, again;
    uint64_t number, other;
    CHECK_OK(up_space_pin(space, BASE + PAGE + 8, UP_PIN_WRITE, &pin));
    CHECK_IS((uintptr_t)pin.bytes % PAGE, 0);
    // Holder and program see one page.
    CHECK_IS(*(uint64_t *)pin.bytes, 2);
    *(uint64_t *)pin.bytes = 20;
    CHECK_IS(face_word(space, BASE + PAGE), 20);
    CHECK_OK(up_space_store_word(space, BASE + PAGE, 8, 21));
    CHECK_IS(*(uint64_t *)pin.bytes, 21);
    CHECK_OK(up_space_pin(space, BASE + PAGE, 0, &again));
    CHECK(again.bytes == pin.bytes);
    CHECK_OK(up_pin_frame_number(&pin, &number));
    CHECK_OK(up_pin_frame_number(&again, &other));
    CHECK(number == other);
    up_census census;
    CHECK_OK(up_machine_census(fixture.machine, &census));
    CHECK_IS(census.pins, 2);
    CHECK_OK(up_unpin(&pin, 1));
    CHECK(pin.bytes == NULL);
    CHECK_IS(up_unpin(&pin, 1), -EINVAL);
    // A value may be moved.
    up_pin moved = again;
    again = (up_pin){NULL, {0}};
    CHECK_OK(up_unpin(&moved, 0));
    // A page that nothing has touched yet.
    CHECK_OK(up_space_advise(space, BASE, 1, UP_ADVICE_DONT_NEED));
    CHECK_OK(up_space_pin(space, BASE, UP_PIN_WRITE, &pin));
    CHECK_IS(*(uint64_t *)pin.bytes, 0);
    CHECK_OK(up_unpin(&pin, 0));
    face_end(fixture);
  }
}

void test_pins_outlive(void) {
  FOR_EACH_ENGINE(engine) {
    struct fixture fixture = face_begin(engines[engine], 8, 0);
    face_fill(fixture.space, 2);
    up_pin pin;
    CHECK_OK(up_space_pin(fixture.space, BASE, UP_PIN_WRITE, &pin));
    CHECK_OK(up_space_unmap(fixture.space, BASE, 2));
    CHECK_OK(up_space_destroy(fixture.space));
    CHECK_OK(up_machine_flush(fixture.machine));
    // The frame is not given to another: seven are left.
    up_frame frames[8];
    for (int index = 0; index < 7; index++) {
      CHECK_OK(up_frame_allocate(fixture.machine, &frames[index]));
      CHECK(frames[index].bytes != pin.bytes);
    }
    CHECK_IS(up_frame_allocate(fixture.machine, &frames[7]), -ENOMEM);
    CHECK_IS(*(uint64_t *)pin.bytes, 1);
    CHECK_OK(up_unpin(&pin, 1));
    CHECK_OK(up_frame_allocate(fixture.machine, &frames[7]));
    for (int index = 0; index < 8; index++)
      CHECK_OK(up_frame_put(&frames[index]));
    CHECK_OK(up_machine_destroy(fixture.machine));
  }
}

void test_pin_flags(void) {
  FOR_EACH_ENGINE(engine) {
    struct fixture fixture = face_begin(engines[engine], 64, 0);
    up_space *space = fixture.space;
    face_fill(space, 2);
    up_pin pin;
    CHECK_OK(up_space_pin(space, BASE, UP_PIN_WRITE | UP_PIN_LONG_TERM, &pin));
    CHECK_IS(*(uint64_t *)pin.bytes, 1);
    CHECK_OK(up_unpin(&pin, 1));
    CHECK_OK(up_space_pin(space, BASE, UP_PIN_NO_FAULT, &pin));
    CHECK_OK(up_unpin(&pin, 0));
    // The locked engine has no fast path.
    CHECK_IS(up_space_pin(space, BASE, UP_PIN_FAST_ONLY, &pin), engines[engine] == UP_ENGINE_LOCKED ? -EAGAIN : 0);
    if (engines[engine] != UP_ENGINE_LOCKED)
      CHECK_OK(up_unpin(&pin, 0));
    CHECK_OK(up_space_advise(space, BASE, 1, UP_ADVICE_DONT_NEED));
    CHECK_IS(up_space_pin(space, BASE, UP_PIN_FAST_ONLY, &pin), -EAGAIN);
    CHECK_IS(up_space_pin(space, BASE, UP_PIN_NO_FAULT, &pin), -EFAULT);
    CHECK_OK(up_space_protect(space, BASE + PAGE, 1, UP_READ));
    CHECK_IS(up_space_pin(space, BASE + PAGE, UP_PIN_WRITE, &pin), -EFAULT);
    CHECK_OK(up_space_pin(space, BASE + PAGE, UP_PIN_WRITE | UP_PIN_FORCE, &pin));
    *(uint64_t *)pin.bytes = 5;
    CHECK_OK(up_unpin(&pin, 1));
    CHECK_IS(face_word(space, BASE + PAGE), 5);
    face_end(fixture);
  }
}

void test_pin_errors(void) {
  FOR_EACH_ENGINE(engine) {
    struct fixture fixture = face_begin(engines[engine], 4, 0);
    up_space *space = fixture.space;
    up_pin pin = {NULL, {0}};
    CHECK_IS(up_space_pin(space, BASE, 0, &pin), -EFAULT);
    CHECK_IS(up_space_pin(space, UINT64_MAX, 0, &pin), -EFAULT);
    CHECK_IS(up_space_pin(space, BASE, UP_PIN_GET | UP_PIN_LONG_TERM, &pin), -EINVAL);
    CHECK_IS(up_space_pin(space, BASE, 64, &pin), -EINVAL);
    CHECK_OK(up_space_map(space, BASE, 5, READ_WRITE, 0, NULL, 0));
    for (uint64_t page = 0; page < 4; page++)
      CHECK_OK(up_space_store_word(space, BASE + page * PAGE, 8, 1));
    CHECK_IS(up_space_pin(space, BASE + 4 * PAGE, UP_PIN_WRITE, &pin), -ENOMEM);
    CHECK(pin.bytes == NULL);
    face_end(fixture);
  }
}

void test_many_pins(void) {
  // More than a thread has slots.
  FOR_EACH_ENGINE(engine) {
    struct fixture fixture = face_begin(engines[engine], 128, 0);
    face_fill(fixture.space, 100);
    up_pin pins[100];
    for (uint64_t page = 0; page < 100; page++)
      CHECK_OK(up_space_pin(fixture.space, BASE + page * PAGE, 0, &pins[page]));
    CHECK_OK(up_space_unmap(fixture.space, BASE, 100));
    CHECK_OK(up_machine_flush(fixture.machine));
    for (uint64_t page = 0; page < 100; page++)
      CHECK_IS(*(uint64_t *)pins[page].bytes, page + 1);
    up_census census;
    CHECK_OK(up_machine_census(fixture.machine, &census));
    CHECK_IS(census.pins, 100);
    for (uint64_t page = 0; page < 100; page++)
      CHECK_OK(up_unpin(&pins[page], 0));
    face_end(fixture);
  }
}

void test_movable_pages(void) {
  up_machine *machine;
  up_space *space;
  CHECK_OK(up_machine_create(&(up_machine_options){.ram_pages = 8, .movable_pages = 4}, &machine));
  CHECK_OK(up_space_create(machine, UP_ENGINE_SLOT, &space));
  face_fill(space, 1);
  up_pin pin;
  uint64_t before, after;
  CHECK_OK(up_space_pin(space, BASE, 0, &pin));
  CHECK_OK(up_pin_frame_number(&pin, &before));
  CHECK_OK(up_unpin(&pin, 0));
  // Private memory lies in the movable part first. A long-term pin moves it out.
  CHECK_OK(up_space_pin(space, BASE, UP_PIN_LONG_TERM, &pin));
  CHECK_OK(up_pin_frame_number(&pin, &after));
  CHECK(before != after);
  CHECK_IS(*(uint64_t *)pin.bytes, 1);
  CHECK_OK(up_unpin(&pin, 0));
  CHECK_OK(up_space_destroy(space));
  CHECK_OK(up_machine_destroy(machine));
}
