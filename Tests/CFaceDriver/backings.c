// Backings of callbacks, devices and memory files.
#include "checks.h"

/// A backing of two frames, which it owns. Its third page is not there, its fourth is given at the second time.
struct two_frames {
  up_frame frames[2];
  int faults, releases, refusal;
};

static int fault_two_frames(void *context, uint64_t page, int write, up_answer *answer) {
  struct two_frames *backing = context;
  (void)write;
  backing->faults++;
  if (backing->refusal)
    return backing->refusal;
  if (page == 2)
    return -ENODEV;
  if (page == 3 && backing->faults % 2)
    return -EAGAIN;
  answer->kind = UP_ANSWER_FRAME;
  return up_frame_retain(&backing->frames[page % 2], &answer->frame);
}

static void release_two_frames(void *context) { ((struct two_frames *)context)->releases++; }

void test_callbacks(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  struct two_frames owner = {.faults = 0};
  for (int index = 0; index < 2; index++) {
    CHECK_OK(up_frame_allocate(fixture.machine, &owner.frames[index]));
    *(uint64_t *)owner.frames[index].bytes = 100 + index;
  }
  up_backing *backing;
  up_backing_operations operations = {
      .page_count = 4, .context = &owner, .fault = fault_two_frames, .release = release_two_frames};
  CHECK_OK(up_backing_create(fixture.machine, &operations, &backing));
  CHECK_IS(up_backing_page_count(backing), 4);
  CHECK_OK(up_space_map(fixture.space, BASE, 8, READ_WRITE, UP_MAP_SHARED, backing, 0));
  CHECK_IS(face_word(fixture.space, BASE), 100);
  CHECK_IS(face_word(fixture.space, BASE + PAGE), 101);
  CHECK_IS(owner.faults, 2);
  CHECK_OK(up_space_store_word(fixture.space, BASE, 8, 200));
  CHECK_IS(*(uint64_t *)owner.frames[0].bytes, 200);
  uint64_t value;
  CHECK_IS(up_space_load_word(fixture.space, BASE + 2 * PAGE, 8, &value), -ENXIO);
  // Beyond the end the callback is not asked.
  int before = owner.faults;
  CHECK_IS(up_space_load_word(fixture.space, BASE + 4 * PAGE, 8, &value), -ENXIO);
  CHECK_IS(owner.faults, before);
  CHECK_IS(face_word(fixture.space, BASE + 3 * PAGE), 101);
  owner.refusal = -ENOMEM;
  CHECK_OK(up_space_advise(fixture.space, BASE, 1, UP_ADVICE_DONT_NEED));
  CHECK_IS(up_space_load_word(fixture.space, BASE, 8, &value), -ENOMEM);
  owner.refusal = 0;

  // A private mapping copies. A pin keeps the frame when the backing and its mappings have gone.
  const uint64_t other = BASE + 64 * PAGE;
  CHECK_OK(up_space_map(fixture.space, other, 1, READ_WRITE, 0, backing, 1));
  CHECK_OK(up_space_store_word(fixture.space, other, 8, 5));
  CHECK_IS(*(uint64_t *)owner.frames[1].bytes, 101);
  up_pin pin;
  CHECK_OK(up_space_pin(fixture.space, BASE, 0, &pin));
  CHECK_OK(up_backing_destroy(backing));
  CHECK_IS(owner.releases, 0);
  CHECK_OK(up_space_unmap(fixture.space, BASE, 8));
  CHECK_OK(up_space_unmap(fixture.space, other, 1));
  CHECK_OK(up_machine_flush(fixture.machine));
  CHECK_IS(owner.releases, 1);
  for (int index = 0; index < 2; index++)
    CHECK_OK(up_frame_put(&owner.frames[index]));
  CHECK_IS(*(uint64_t *)pin.bytes, 200);
  CHECK_OK(up_unpin(&pin, 0));
  face_end(fixture);
}

static int fault_wrongly(void *context, uint64_t page, int write, up_answer *answer) {
  (void)context;
  (void)write;
  if (page == 0)
    // A frame that was put, or never was one.
    answer->kind = UP_ANSWER_FRAME;
  else
    answer->kind = 17;
  return 0;
}

void test_callback_errors(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *backing = NULL;
  up_backing_operations operations = {.page_count = 2};
  CHECK_IS(up_backing_create(fixture.machine, &operations, &backing), -EINVAL);
  operations.fault = fault_wrongly;
  operations.page_count = UINT64_MAX;
  CHECK_IS(up_backing_create(fixture.machine, &operations, &backing), -EINVAL);
  operations.page_count = 2;
  CHECK_IS(up_backing_create(NULL, &operations, &backing), -EINVAL);
  CHECK_IS(up_backing_create(fixture.machine, &operations, NULL), -EINVAL);
  CHECK(backing == NULL);
  CHECK_OK(up_backing_create(fixture.machine, &operations, &backing));
  CHECK_OK(up_space_map(fixture.space, BASE, 2, READ_WRITE, UP_MAP_SHARED, backing, 0));
  uint64_t value;
  CHECK_IS(up_space_load_word(fixture.space, BASE, 8, &value), -ENXIO);
  CHECK_IS(up_space_load_word(fixture.space, BASE + PAGE, 8, &value), -ENXIO);
  up_pin pin;
  CHECK_IS(up_space_pin(fixture.space, BASE, 0, &pin), -EFAULT);
  CHECK_OK(up_backing_destroy(backing));
  face_end(fixture);
}

/// A ring of a device that is shown twice in a row.
struct ring {
  uint64_t first, pages;
};

static int fault_ring(void *context, uint64_t page, int write, up_answer *answer) {
  const struct ring *ring = context;
  (void)write;
  answer->kind = UP_ANSWER_NUMBER;
  answer->number = ring->first + page % ring->pages;
  answer->writable = 1;
  return 0;
}

void test_callback_numbers(void) {
  static const unsigned rules[] = {UP_MAP_PFN, UP_MAP_MIXED};
  for (size_t rule = 0; rule < 2; rule++) {
    struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
    up_backing *device, *backing;
    struct ring ring = {.pages = 2};
    CHECK_OK(up_device_create(fixture.machine, ring.pages, &device));
    CHECK_OK(up_device_first_number(device, &ring.first));
    up_backing_operations operations = {.page_count = 4, .context = &ring, .fault = fault_ring};
    CHECK_OK(up_backing_create(fixture.machine, &operations, &backing));
    CHECK_OK(up_space_map(fixture.space, BASE, 4, READ_WRITE, UP_MAP_SHARED | rules[rule], backing, 0));
    CHECK_OK(up_space_store_word(fixture.space, BASE + 2 * PAGE, 8, 9));
    CHECK_IS(face_word(fixture.space, BASE), 9);
    CHECK_IS(*(uint64_t *)up_device_bytes(device, 0), 9);
    // By number alone a page cannot be pinned; in a mixed mapping this one is counted.
    up_pin pin;
    CHECK_IS(up_space_pin(fixture.space, BASE, UP_PIN_WRITE, &pin), rules[rule] == UP_MAP_PFN ? -EFAULT : 0);
    if (rules[rule] == UP_MAP_MIXED)
      CHECK_OK(up_unpin(&pin, 1));
    CHECK_OK(up_backing_destroy(backing));
    CHECK_OK(up_space_exit(fixture.space));
    CHECK_OK(up_backing_destroy(device));
    face_end(fixture);
  }
}

void test_devices(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *device = NULL;
  CHECK_IS(up_device_create(fixture.machine, 0, &device), -EINVAL);
  CHECK(device == NULL);
  CHECK_OK(up_device_create(fixture.machine, 3, &device));
  CHECK_IS(up_backing_page_count(device), 3);
  CHECK(up_device_bytes(device, 3) == NULL);
  uint64_t number;
  CHECK_OK(up_device_first_number(device, &number));
  CHECK_OK(up_space_map(fixture.space, BASE, 2, UP_READ, UP_MAP_PFN | UP_MAP_SHARED, device, 1));
  *(uint64_t *)up_device_bytes(device, 2) = 6;
  CHECK_IS(face_word(fixture.space, BASE + PAGE), 6);
  CHECK_OK(up_backing_destroy(device));
  CHECK_IS(face_word(fixture.space, BASE + PAGE), 6);
  face_end(fixture);
}

void test_memory_files(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *file = NULL;
  CHECK_IS(up_memory_file_create(fixture.machine, 2, 1, &file), -EINVAL);
  CHECK_IS(up_memory_file_create(fixture.machine, 2, UINT64_MAX, &file), -EINVAL);
  CHECK(file == NULL);
  CHECK_OK(up_memory_file_create(fixture.machine, 2, 8, &file));
  CHECK_OK(up_space_map(fixture.space, BASE, 8, READ_WRITE, UP_MAP_SHARED, file, 0));
  CHECK_IS(up_file_write(file, PAGE - 2, "word", 4), 4);
  char text[4] = "";
  CHECK_OK(up_space_load(fixture.space, BASE + PAGE - 2, text, 4));
  CHECK_IS(memcmp(text, "word", 4), 0);
  CHECK_OK(up_space_store(fixture.space, BASE, "abcd", 4));
  CHECK_IS(up_file_read(file, 0, text, 4), 4);
  CHECK_IS(memcmp(text, "abcd", 4), 0);
  CHECK_IS(up_file_read(file, 2 * PAGE - 1, text, 4), 1);
  CHECK_IS(up_file_read(file, UINT64_MAX, text, 4), -EINVAL);
  uint64_t length, value;
  CHECK_OK(up_file_length(file, &length));
  CHECK_IS(length, 2 * PAGE);
  CHECK_IS(up_space_load_word(fixture.space, BASE + 2 * PAGE, 8, &value), -ENXIO);
  CHECK_OK(up_file_resize(file, 5 * PAGE));
  CHECK_IS(face_word(fixture.space, BASE + 2 * PAGE), 0);
  CHECK_IS(up_file_resize(file, 9 * PAGE), -EFBIG);
  // What lies beyond the end is left out.
  CHECK_OK(up_file_punch_hole(file, 4, 6));
  CHECK_OK(up_file_punch_hole(file, 9, 1));
  CHECK_OK(up_file_length(file, &length));
  CHECK_IS(length, 5 * PAGE);
  CHECK_IS(up_file_punch_hole(file, UINT64_MAX, 2), -EINVAL);
  CHECK_OK(up_file_punch_hole(file, 0, 1));
  CHECK_IS(face_word(fixture.space, BASE), 0);
  // A long-term pin for writing is allowed: nothing is written back.
  up_pin pin;
  CHECK_OK(up_space_pin(fixture.space, BASE + PAGE, UP_PIN_WRITE | UP_PIN_LONG_TERM, &pin));
  CHECK_OK(up_file_resize(file, 0));
  CHECK_IS(memcmp(pin.bytes, "rd", 2), 0);
  CHECK_OK(up_unpin(&pin, 1));
  CHECK_OK(up_backing_destroy(file));
  face_end(fixture);
}

void test_backings_that_are_no_files(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *device, *file;
  uint64_t value;
  CHECK_OK(up_device_create(fixture.machine, 1, &device));
  CHECK_OK(up_memory_file_create(fixture.machine, 1, 1, &file));
  CHECK_IS(up_file_length(device, &value), -EINVAL);
  CHECK_IS(up_file_read(device, 0, &value, 8), -EINVAL);
  CHECK_IS(up_file_write(device, 0, &value, 8), -EINVAL);
  CHECK_IS(up_file_resize(device, 0), -EINVAL);
  CHECK_IS(up_file_punch_hole(device, 0, 1), -EINVAL);
  CHECK_IS(up_cache_sync(file), -EINVAL);
  CHECK_IS(up_cache_flush(file, 0, 1), -EINVAL);
  CHECK_IS(up_cache_evict(device, 1), -EINVAL);
  CHECK_IS(up_cache_count(device, &(up_cache_counters){0}), -EINVAL);
  CHECK(up_device_bytes(file, 0) == NULL);
  CHECK_IS(up_device_first_number(file, &value), -EINVAL);
  CHECK_OK(up_backing_destroy(device));
  CHECK_OK(up_backing_destroy(file));
  face_end(fixture);
}
