// Mappings, and the program's loads and stores.
#include "checks.h"

void test_mapping_arguments(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *space = fixture.space, *none = NULL;
  CHECK_IS(up_space_create(fixture.machine, 3, &none), -EINVAL);
  CHECK_IS(up_space_create(fixture.machine, -1, &none), -EINVAL);
  CHECK(none == NULL);
  CHECK_IS(up_space_map(space, BASE + 1, 1, UP_READ, 0, NULL, 0), -EINVAL);
  CHECK_IS(up_space_map(space, BASE, 0, UP_READ, 0, NULL, 0), -EINVAL);
  CHECK_IS(up_space_map(space, BASE, 1, 4, 0, NULL, 0), -EINVAL);
  CHECK_IS(up_space_map(space, BASE, 1, UP_READ, 128, NULL, 0), -EINVAL);
  CHECK_IS(up_space_map(space, BASE, 1, UP_READ, UP_MAP_MIXED, NULL, 0), -EINVAL);
  CHECK_IS(up_space_map(space, BASE, 1, UP_READ, 0, NULL, 1), -EINVAL);
  CHECK_IS(up_space_map(space, (UINT64_C(1) << 47) - 4096, 1, UP_READ, 0, NULL, 0), -ENOMEM);
  CHECK_IS(up_space_map(space, BASE, UINT64_MAX, UP_READ, 0, NULL, 0), -ENOMEM);
  up_backing *device;
  CHECK_OK(up_device_create(fixture.machine, 1, &device));
  CHECK_IS(up_space_map(space, BASE, 1, UP_READ, UP_MAP_MIXED | UP_MAP_PFN, device, 0), -EINVAL);
  CHECK_IS(up_space_map(space, BASE, 1, UP_READ, UP_MAP_IO, device, 0), -EINVAL);
  CHECK_OK(up_space_map(space, BASE, 1, UP_READ, UP_MAP_PFN | UP_MAP_IO, device, 0));
  CHECK_IS(up_space_map(space, BASE, 1, UP_READ, UP_MAP_NO_REPLACE, NULL, 0), -EEXIST);
  CHECK_OK(up_space_map(space, BASE, 1, UP_READ, 0, NULL, 0));
  CHECK_OK(up_backing_destroy(device));
  face_end(fixture);
}

void test_loads_and_stores(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *space = fixture.space;
  char text[3 * PAGE], back[3 * PAGE];
  for (size_t index = 0; index < sizeof text; index++)
    text[index] = (char)(index * 7);
  CHECK_OK(up_space_map(space, BASE, 4, READ_WRITE, 0, NULL, 0));
  CHECK_OK(up_space_store(space, BASE + 100, text, sizeof text));
  CHECK_OK(up_space_load(space, BASE + 100, back, sizeof back));
  CHECK_IS(memcmp(text, back, sizeof text), 0);
  CHECK_OK(up_space_load(space, BASE, NULL, 0));
  CHECK_OK(up_space_store(space, BASE, NULL, 0));
  CHECK_IS(up_space_load(space, BASE, NULL, 1), -EINVAL);
  CHECK_IS(up_space_load(space, BASE, back, SIZE_MAX), -EINVAL);
  // The part before the hole is there.
  memset(back, 0, sizeof back);
  CHECK_IS(up_space_load(space, BASE + 3 * PAGE, back, PAGE + 1), -EFAULT);
  CHECK_IS(memcmp(back, text + 3 * PAGE - 100, 100), 0);
  CHECK_IS(up_space_store(space, BASE + 4 * PAGE - 1, text, 2), -EFAULT);
  CHECK_IS(up_space_load(space, UINT64_MAX - 1, back, 1), -EFAULT);
  face_end(fixture);
}

void test_words(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *space = fixture.space;
  CHECK_OK(up_space_map(space, BASE, 2, READ_WRITE, 0, NULL, 0));
  const uint64_t word = UINT64_C(0x1122334455667788);
  uint64_t value = 0;
  CHECK_OK(up_space_store_word(space, BASE, 8, word));
  static const struct { unsigned size; uint64_t value; } sizes[] = {
      {1, 0x88}, {2, 0x7788}, {4, 0x55667788}, {8, UINT64_C(0x1122334455667788)}};
  for (int index = 0; index < 4; index++) {
    CHECK_OK(up_space_load_word(space, BASE, sizes[index].size, &value));
    CHECK(value == sizes[index].value);
    // Unaligned, across two pages, and no more bytes than were asked for.
    uint64_t address = BASE + PAGE - 1;
    CHECK_OK(up_space_store_word(space, address - 8, 8, 0));
    CHECK_OK(up_space_store_word(space, address, 8, 0));
    CHECK_OK(up_space_store_word(space, address, sizes[index].size, word));
    CHECK_OK(up_space_load_word(space, address, 8, &value));
    CHECK(value == sizes[index].value);
  }
  CHECK_IS(up_space_load_word(space, BASE, 3, &value), -EINVAL);
  CHECK_IS(up_space_store_word(space, BASE, 0, 1), -EINVAL);
  CHECK_IS(up_space_load_word(space, BASE, 8, NULL), -EINVAL);
  CHECK_IS(up_space_load_word(space, BASE + 2 * PAGE, 8, &value), -EFAULT);
  CHECK_IS(up_space_store_word(space, BASE + 2 * PAGE, 8, 0), -EFAULT);
  face_end(fixture);
}

void test_protection(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *space = fixture.space;
  face_fill(space, 3);
  CHECK_IS(up_space_protect(space, BASE, 1, 4), -EINVAL);
  CHECK_IS(up_space_protect(space, BASE + 1, 1, UP_READ), -EINVAL);
  CHECK_OK(up_space_protect(space, BASE, 1, UP_READ));
  CHECK_IS(up_space_store_word(space, BASE, 8, 0), -EFAULT);
  CHECK_IS(face_word(space, BASE), 1);
  CHECK_OK(up_space_protect(space, BASE + PAGE, 1, 0));
  uint64_t value;
  CHECK_IS(up_space_load_word(space, BASE + PAGE, 8, &value), -EFAULT);
  CHECK_IS(up_space_protect(space, BASE, 4, READ_WRITE), -ENOMEM);
  CHECK_IS(face_word(space, BASE + PAGE), 2);
  CHECK_OK(up_space_store_word(space, BASE, 8, 7));
  face_end(fixture);
}

void test_unmapping(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *space = fixture.space;
  uint64_t value;
  face_fill(space, 3);
  CHECK_IS(up_space_unmap(space, BASE, 0), -EINVAL);
  CHECK_IS(up_space_unmap(space, BASE + 8, 1), -EINVAL);
  CHECK_OK(up_space_unmap(space, BASE + PAGE, 1));
  CHECK_IS(up_space_load_word(space, BASE + PAGE, 8, &value), -EFAULT);
  CHECK_IS(face_word(space, BASE + 2 * PAGE), 3);
  CHECK_OK(up_space_unmap(space, BASE, 100));
  CHECK_IS(up_space_load_word(space, BASE, 8, &value), -EFAULT);
  face_fill(space, 2);
  CHECK_OK(up_space_exit(space));
  CHECK_IS(up_space_load_word(space, BASE, 8, &value), -EFAULT);
  // It can be used again.
  face_fill(space, 1);
  face_end(fixture);
}

void test_remapping(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *space = fixture.space;
  const uint64_t there = BASE + 64 * PAGE;
  uint64_t value;
  face_fill(space, 3);
  CHECK_IS(up_space_remap(space, BASE, 2, BASE + PAGE, 2, 0), -EINVAL);
  CHECK_IS(up_space_remap(space, there, 2, BASE, 2, 0), -EFAULT);
  CHECK_OK(up_space_remap(space, BASE, 3, there, 4, 0));
  CHECK_IS(up_space_load_word(space, BASE, 8, &value), -EFAULT);
  CHECK_IS(face_word(space, there + 2 * PAGE), 3);
  CHECK_IS(face_word(space, there + 3 * PAGE), 0);
  face_end(fixture);
}

void test_advice(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 1200, 1);
  up_space *space = fixture.space;
  face_fill(space, 4);
  CHECK_IS(up_space_advise(space, BASE, 4, 13), -EINVAL);
  CHECK_IS(up_space_advise(space, BASE, 5, UP_ADVICE_DONT_NEED), -ENOMEM);
  CHECK_IS(face_word(space, BASE), 0);
  CHECK_OK(up_space_store_word(space, BASE, 8, 9));
  CHECK_OK(up_space_advise(space, BASE, 4, UP_ADVICE_PAGE_OUT));
  CHECK_OK(up_machine_flush(fixture.machine));
  up_census census;
  CHECK_OK(up_machine_census(fixture.machine, &census));
  CHECK_IS(census.swapped_pages, 1);
  CHECK_IS(face_word(space, BASE), 9);
  CHECK_OK(up_space_advise(space, BASE, 2, UP_ADVICE_DONT_FORK));
  CHECK_OK(up_space_advise(space, BASE, 1, UP_ADVICE_DO_FORK));
  up_space *child;
  CHECK_OK(up_space_fork(space, &child));
  CHECK_IS(face_word(child, BASE), 9);
  uint64_t value;
  CHECK_IS(up_space_load_word(child, BASE + PAGE, 8, &value), -EFAULT);
  CHECK_OK(up_space_destroy(child));
  up_space_counters before, after;
  CHECK_OK(up_space_advise(space, BASE, 4, UP_ADVICE_POPULATE_READ));
  CHECK_OK(up_space_advise(space, BASE, 4, UP_ADVICE_POPULATE_WRITE));
  CHECK_OK(up_space_count(space, &before));
  CHECK_OK(up_space_store_word(space, BASE + 3 * PAGE, 8, 1));
  CHECK_OK(up_space_count(space, &after));
  CHECK_IS(after.faults, before.faults);
  // One page becomes 2 MiB.
  const uint64_t huge = UINT64_C(1) << 30;
  CHECK_OK(up_space_map(space, huge, UP_PAGES_PER_HUGE, READ_WRITE, 0, NULL, 0));
  CHECK_OK(up_space_store_word(space, huge + 511 * PAGE, 8, 5));
  up_pin pin;
  CHECK_OK(up_space_pin(space, huge + 511 * PAGE, 0, &pin));
  CHECK_IS(up_space_advise(space, huge, UP_PAGES_PER_HUGE, UP_ADVICE_COLLAPSE), -EAGAIN);
  CHECK_OK(up_unpin(&pin, 0));
  CHECK_OK(up_space_advise(space, huge, UP_PAGES_PER_HUGE, UP_ADVICE_COLLAPSE));
  CHECK_IS(face_word(space, huge + 511 * PAGE), 5);
  CHECK_OK(up_machine_flush(fixture.machine));
  CHECK_OK(up_machine_census(fixture.machine, &census));
  CHECK(census.used_pages >= UP_PAGES_PER_HUGE);
  face_end(fixture);
}

void test_forking(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *parent = fixture.space, *child;
  face_fill(parent, 3);
  up_pin pin;
  CHECK_OK(up_space_pin(parent, BASE, UP_PIN_WRITE, &pin));
  CHECK_IS(up_space_fork(parent, NULL), -EINVAL);
  CHECK_OK(up_space_fork(parent, &child));
  // The pinned page stayed the parent's: a device's store is not the child's.
  *(uint64_t *)pin.bytes = 42;
  CHECK_OK(up_unpin(&pin, 1));
  CHECK_IS(face_word(parent, BASE), 42);
  CHECK_IS(face_word(child, BASE), 1);
  CHECK_OK(up_space_store_word(child, BASE + PAGE, 8, 77));
  CHECK_IS(face_word(parent, BASE + PAGE), 2);
  up_space_counters counters;
  CHECK_OK(up_space_count(child, &counters));
  CHECK_IS(counters.copies, 1);
  CHECK_OK(up_space_destroy(child));
  face_end(fixture);
}

void test_counters(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space_counters counters;
  CHECK_IS(up_space_count(fixture.space, NULL), -EINVAL);
  face_fill(fixture.space, 2);
  up_pin pin;
  for (int turn = 0; turn < 3; turn++) {
    CHECK_OK(up_space_pin(fixture.space, BASE, 0, &pin));
    CHECK_OK(up_unpin(&pin, 0));
  }
  CHECK_OK(up_space_advise(fixture.space, BASE + PAGE, 1, UP_ADVICE_DONT_NEED));
  CHECK_OK(up_space_pin(fixture.space, BASE + PAGE, UP_PIN_WRITE, &pin));
  CHECK_OK(up_unpin(&pin, 0));
  CHECK_OK(up_space_count(fixture.space, &counters));
  CHECK_IS(counters.fast_pins, 3);
  CHECK_IS(counters.slow_pins, 1);
  CHECK_IS(counters.faults, 3);
  CHECK_IS(counters.copies, 0);
  face_end(fixture);
}
