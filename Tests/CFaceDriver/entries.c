// Backings of callbacks: their pages move, are written back and change in number; entries ahead of faults.
#include <stdatomic.h>
#include <stdlib.h>

#include "checks.h"

/// A backing of one page, which lies in the first frame or in the second.
struct mover {
  up_frame frames[2];
  atomic_int place, moves, dirty, copies;
};

static int fault_mover(void *context, uint64_t page, int write, up_answer *answer) {
  struct mover *mover = context;
  if (atomic_load(&mover->moves))
    return -EAGAIN;
  if (write)
    atomic_store(&mover->dirty, 1);
  (void)page;
  return up_frame_retain(&mover->frames[atomic_load(&mover->place)], &answer->frame);
}

static int note_store(void *context, uint64_t page) {
  struct mover *mover = context;
  if (page == 1)
    return -ENOSPC;
  atomic_store(&mover->dirty, 1);
  return 0;
}

static struct mover *make_mover(up_machine *machine, int writes_back, up_backing **backing) {
  struct mover *mover = calloc(1, sizeof *mover);
  for (int index = 0; index < 2; index++)
    CHECK_OK(up_frame_allocate(machine, &mover->frames[index]));
  up_backing_operations operations = {.page_count = 2, .context = mover, .fault = fault_mover};
  if (writes_back)
    operations.will_store = note_store;
  CHECK_OK(up_backing_create(machine, &operations, backing));
  return mover;
}

static void end_mover(struct mover *mover) {
  for (int index = 0; index < 2; index++)
    CHECK_OK(up_frame_put(&mover->frames[index]));
  free(mover);
}

void test_pages_of_a_backing_move(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *backing, *device;
  struct mover *mover = make_mover(fixture.machine, 0, &backing);
  CHECK_OK(up_space_map(fixture.space, BASE, 2, READ_WRITE, UP_MAP_SHARED, backing, 0));
  CHECK_OK(up_space_map(fixture.space, BASE + 64 * PAGE, 1, READ_WRITE, 0, backing, 0));
  CHECK_OK(up_space_store_word(fixture.space, BASE, 8, 5));
  CHECK_OK(up_space_store_word(fixture.space, BASE + 64 * PAGE, 8, 6));
  unsigned char accessed[2];
  CHECK_IS(up_backing_take_accessed(backing, 0, 2, accessed), 1);
  CHECK(accessed[0] == 1 && accessed[1] == 0);
  CHECK_IS(up_backing_take_accessed(backing, 0, 2, accessed), 0);
  // The order of `up_backing_invalidate`.
  atomic_store(&mover->moves, 1);
  CHECK_OK(up_backing_invalidate(backing, 0, 1));
  up_entry entry;
  CHECK_OK(up_space_entry(fixture.space, BASE, &entry));
  CHECK_IS(entry.kind, UP_ENTRY_NONE);
  up_frame_state state;
  CHECK_OK(up_machine_frame(fixture.machine, mover->frames[0].number, &state));
  CHECK_IS(state.pins, 0);
  memcpy(mover->frames[1].bytes, mover->frames[0].bytes, PAGE);
  *(uint64_t *)mover->frames[1].bytes += 100;
  atomic_store(&mover->place, 1);
  atomic_store(&mover->moves, 0);
  CHECK_IS(face_word(fixture.space, BASE), 105);
  // A private copy stays.
  CHECK_IS(face_word(fixture.space, BASE + 64 * PAGE), 6);
  CHECK_IS(up_backing_invalidate(backing, 1, 2), -EINVAL);
  CHECK_IS(up_backing_invalidate(backing, UINT64_MAX, 2), -EINVAL);
  CHECK_IS(up_backing_write_protect(backing, 0, 1), -EINVAL);
  // By number alone an entry cannot be taken back.
  CHECK_OK(up_space_map(fixture.space, BASE + 128 * PAGE, 1, UP_READ, UP_MAP_SHARED | UP_MAP_PFN, backing, 0));
  CHECK_IS(up_backing_invalidate(backing, 0, 1), -EBUSY);
  CHECK_OK(up_device_create(fixture.machine, 1, &device));
  CHECK_IS(up_backing_invalidate(device, 0, 1), -EINVAL);
  CHECK_IS(up_backing_take_accessed(device, 0, 1, accessed), -EINVAL);
  CHECK_IS(up_backing_resize(device, 1), -EINVAL);
  CHECK_OK(up_backing_destroy(device));
  CHECK_OK(up_backing_destroy(backing));
  CHECK_OK(up_space_exit(fixture.space));
  end_mover(mover);
  face_end(fixture);
}

void test_a_backing_is_resized(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *backing;
  struct mover *mover = make_mover(fixture.machine, 0, &backing);
  CHECK_OK(up_space_map(fixture.space, BASE, 4, READ_WRITE, 0, backing, 0));
  CHECK_OK(up_space_store_word(fixture.space, BASE + PAGE, 8, 1));
  uint64_t value;
  CHECK_IS(up_space_load_word(fixture.space, BASE + 2 * PAGE, 8, &value), -ENXIO);
  CHECK_OK(up_backing_resize(backing, 3));
  CHECK_IS(up_backing_page_count(backing), 3);
  CHECK_IS(face_word(fixture.space, BASE + 2 * PAGE), 0);
  // Private copies beyond the end go too.
  CHECK_OK(up_backing_resize(backing, 1));
  CHECK_IS(up_space_load_word(fixture.space, BASE + PAGE, 8, &value), -ENXIO);
  CHECK_IS(up_backing_resize(backing, UINT64_MAX), -EINVAL);
  CHECK_OK(up_backing_destroy(backing));
  CHECK_OK(up_space_exit(fixture.space));
  end_mover(mover);
  face_end(fixture);
}

void test_stores_are_noticed(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *backing;
  struct mover *mover = make_mover(fixture.machine, 1, &backing);
  CHECK_OK(up_space_map(fixture.space, BASE, 2, READ_WRITE, UP_MAP_SHARED, backing, 0));
  CHECK_IS(face_word(fixture.space, BASE), 0);
  CHECK_IS(atomic_load(&mover->dirty), 0);
  CHECK_OK(up_space_store_word(fixture.space, BASE, 8, 1));
  CHECK_IS(atomic_load(&mover->dirty), 1);
  // Written back: the next store is noticed anew, and no other.
  atomic_store(&mover->dirty, 0);
  CHECK_OK(up_backing_write_protect(backing, 0, 1));
  CHECK_IS(face_word(fixture.space, BASE), 1);
  CHECK_IS(atomic_load(&mover->dirty), 0);
  CHECK_OK(up_space_store_word(fixture.space, BASE, 8, 2));
  CHECK_IS(atomic_load(&mover->dirty), 1);
  atomic_store(&mover->dirty, 0);
  CHECK_OK(up_space_store_word(fixture.space, BASE, 8, 3));
  CHECK_IS(atomic_load(&mover->dirty), 0);
  // A refusal is a bus error.
  CHECK_IS(face_word(fixture.space, BASE + PAGE), 3);
  CHECK_IS(up_space_store_word(fixture.space, BASE + PAGE, 8, 4), -ENXIO);
  CHECK_OK(up_backing_destroy(backing));
  CHECK_OK(up_space_exit(fixture.space));
  end_mover(mover);
  face_end(fixture);
}

/// What a backing in 2 MiB answers: a frame of its own, or the numbers of a device.
struct huge {
  up_frame frame;
  uint64_t first;
  int huge_faults, faults, copies;
};

static int fault_huge(void *context, uint64_t page, int write, up_answer *answer) {
  struct huge *huge = context;
  (void)write;
  if (page % UP_PAGES_PER_HUGE == 0)
    huge->huge_faults++;
  answer->kind = huge->first ? UP_ANSWER_NUMBER : UP_ANSWER_FRAME;
  answer->number = huge->first + page;
  answer->writable = 1;
  answer->page = page % UP_PAGES_PER_HUGE;
  return huge->first ? 0 : up_frame_retain(&huge->frame, &answer->frame);
}

static int fault_in_parts(void *context, uint64_t page, int write, up_answer *answer) {
  (void)context, (void)page, (void)write;
  answer->kind = UP_ANSWER_NONE;
  return 0;
}

static void note_copy(void *context, uint64_t page, const void *bytes) {
  struct huge *huge = context;
  CHECK_IS(((const uint64_t *)bytes)[0], page == 7 ? 77 : 0);
  huge->copies++;
}

void test_answers_of_2_mib(void) {
  static int (*const ways[])(void *, uint64_t, int, up_answer *) = {fault_huge, fault_in_parts};
  const uint64_t address = UINT64_C(1) << 30;
  for (size_t way = 0; way < 2; way++) {
    struct fixture fixture = face_begin(UP_ENGINE_SLOT, 2048, 0);
    struct huge huge = {.first = 0};
    up_backing *backing;
    CHECK_OK(up_frame_allocate_huge(fixture.machine, &huge.frame));
    CHECK_IS(huge.frame.pages, UP_PAGES_PER_HUGE);
    CHECK_IS(huge.frame.number % UP_PAGES_PER_HUGE, 0);
    ((uint64_t *)huge.frame.bytes)[7 * PAGE / 8] = 77;
    up_backing_operations operations = {
        .page_count = UP_PAGES_PER_HUGE, .context = &huge, .fault = fault_huge, .huge_fault = ways[way]};
    CHECK_OK(up_backing_create(fixture.machine, &operations, &backing));
    CHECK_OK(up_space_map(
        fixture.space, address, UP_PAGES_PER_HUGE, READ_WRITE, UP_MAP_SHARED | UP_MAP_HUGE, backing, 0));
    CHECK_IS(face_word(fixture.space, address + 7 * PAGE), 77);
    up_entry entry;
    CHECK_OK(up_space_entry(fixture.space, address + 7 * PAGE, &entry));
    CHECK_IS(entry.kind, way == 0 ? UP_ENTRY_HUGE : UP_ENTRY_NORMAL);
    CHECK_OK(up_backing_destroy(backing));
    CHECK_OK(up_space_exit(fixture.space));
    CHECK_OK(up_frame_put(&huge.frame));
    face_end(fixture);
  }
}

void test_private_mappings_by_number(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  struct huge device_pages = {.faults = 0};
  up_backing *device, *backing;
  CHECK_OK(up_device_create(fixture.machine, 16, &device));
  CHECK_OK(up_device_first_number(device, &device_pages.first));
  *(uint64_t *)up_device_bytes(device, 7) = 77;
  up_backing_operations operations = {
      .page_count = 16, .context = &device_pages, .fault = fault_huge, .did_copy = note_copy};
  CHECK_OK(up_backing_create(fixture.machine, &operations, &backing));
  uint64_t value;
  // A copy is known by not being the page that lies in its row.
  CHECK_OK(up_space_map(fixture.space, BASE, 16, READ_WRITE, UP_MAP_PFN, backing, 0));
  CHECK_IS(up_space_load_word(fixture.space, BASE, 8, &value), -ENXIO);
  CHECK_OK(up_space_exit(fixture.space));
  CHECK_OK(up_backing_destroy(backing));
  operations.first_number = device_pages.first;
  CHECK_OK(up_backing_create(fixture.machine, &operations, &backing));
  CHECK_OK(up_space_map(fixture.space, BASE, 16, READ_WRITE, UP_MAP_PFN, backing, 0));
  CHECK_IS(face_word(fixture.space, BASE + 7 * PAGE), 77);
  CHECK_OK(up_space_store_word(fixture.space, BASE + 7 * PAGE + 8, 8, 1));
  CHECK_IS(device_pages.copies, 1);
  CHECK_IS(*(uint64_t *)((char *)up_device_bytes(device, 7) + 8), 0);
  CHECK_OK(up_backing_destroy(backing));
  CHECK_OK(up_space_exit(fixture.space));
  CHECK_OK(up_backing_destroy(device));
  face_end(fixture);
}

void test_entries_ahead_of_faults(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 2048, 0);
  up_space *space = fixture.space;
  up_backing *file, *device;
  up_frame frame;
  uint64_t first;
  up_entry entry;
  CHECK_OK(up_memory_file_create(fixture.machine, 4, 4, &file));
  CHECK_OK(up_device_create(fixture.machine, 2 * UP_PAGES_PER_HUGE, &device));
  CHECK_OK(up_device_first_number(device, &first));
  CHECK_OK(up_frame_allocate(fixture.machine, &frame));
  *(uint64_t *)frame.bytes = 9;
  CHECK_IS(up_space_insert_page(space, BASE, frame.number), -EFAULT);
  CHECK_OK(up_space_map(space, BASE, 4, READ_WRITE, UP_MAP_SHARED, file, 0));
  CHECK_OK(up_space_insert_page(space, BASE, frame.number));
  CHECK_IS(up_space_insert_page(space, BASE, frame.number), -EBUSY);
  CHECK_IS(face_word(space, BASE), 9);
  CHECK_IS(up_space_insert_page(space, BASE + PAGE, UINT64_MAX), -EINVAL);
  CHECK_IS(up_space_insert_number(space, BASE + PAGE, first, 1), -EINVAL);
  // By number, and mixed.
  const uint64_t device_at = UINT64_C(1) << 30;
  const uint64_t aligned = (first + UP_PAGES_PER_HUGE - 1) / UP_PAGES_PER_HUGE * UP_PAGES_PER_HUGE;
  *(uint64_t *)up_device_bytes(device, 3) = 33;
  CHECK_OK(up_space_map(
      space, device_at, 2 * UP_PAGES_PER_HUGE, READ_WRITE, UP_MAP_SHARED | UP_MAP_PFN | UP_MAP_HUGE, device, 0));
  CHECK_OK(up_space_insert_number(space, device_at, first + 3, 0));
  CHECK_IS(face_word(space, device_at), 33);
  CHECK_OK(up_space_entry(space, device_at, &entry));
  CHECK_IS(entry.kind, UP_ENTRY_SPECIAL);
  CHECK_IS(entry.protection, UP_READ);
  const uint64_t second = device_at + (uint64_t)UP_PAGES_PER_HUGE * PAGE;
  CHECK_IS(up_space_insert_huge_number(space, second + PAGE, aligned, 1), -EINVAL);
  CHECK_OK(up_space_insert_huge_number(space, second, aligned, 1));
  CHECK_OK(up_space_store_word(space, second + 5 * PAGE, 8, 55));
  CHECK_IS(*(uint64_t *)up_device_bytes(device, aligned - first + 5), 55);
  CHECK_OK(up_space_map(space, BASE + 64 * PAGE, 2, READ_WRITE, UP_MAP_SHARED | UP_MAP_MIXED, device, 0));
  CHECK_OK(up_space_insert_mixed(space, BASE + 64 * PAGE, first + 3, 1));
  CHECK_IS(face_word(space, BASE + 64 * PAGE), 33);
  CHECK_IS(up_space_insert_mixed(space, BASE + PAGE, first, 1), -EINVAL);
  CHECK_OK(up_backing_destroy(file));
  CHECK_OK(up_space_exit(space));
  CHECK_OK(up_backing_destroy(device));
  CHECK_OK(up_frame_put(&frame));
  face_end(fixture);
}
