// Machines, handles and frames.
#include "checks.h"

void test_version(void) { CHECK_IS(up_version(), UP_VERSION); }

void test_machine_arguments(void) {
  up_machine *machine = NULL;
  CHECK_IS(up_machine_create(NULL, &machine), -EINVAL);
  CHECK_IS(up_machine_create(&(up_machine_options){.ram_pages = 16}, NULL), -EINVAL);
  CHECK_IS(up_machine_create(&(up_machine_options){.ram_pages = 0}, &machine), -EINVAL);
  CHECK_IS(up_machine_create(&(up_machine_options){.ram_pages = UINT64_MAX}, &machine), -EINVAL);
  CHECK_IS(up_machine_create(&(up_machine_options){.ram_pages = 16, .movable_pages = 17}, &machine), -EINVAL);
  CHECK(machine == NULL);
  CHECK_IS(up_machine_destroy(NULL), -EINVAL);
  CHECK_OK(up_machine_create(&(up_machine_options){.ram_pages = 16, .movable_pages = 8}, &machine));
  CHECK_IS(up_machine_census(machine, NULL), -EINVAL);
  CHECK_OK(up_machine_destroy(machine));
}

void test_machine_destroy_is_refused_while_in_use(void) {
  static const int engines[] = {UP_ENGINE_LOCKED, UP_ENGINE_REFERENCE, UP_ENGINE_SLOT};
  for (size_t index = 0; index < sizeof engines / sizeof *engines; index++) {
    struct fixture fixture = face_begin(engines[index], 64, 0);
    up_machine *machine = fixture.machine;
    face_fill(fixture.space, 4);
    up_pin pin;
    up_pins pins;
    up_frame frame;
    up_mirror *mirror;
    up_backing *file;
    CHECK_OK(up_space_pin(fixture.space, BASE, 0, &pin));
    CHECK_IS(up_space_pin_range(fixture.space, BASE + PAGE, 3, 0, &pins), 3);
    CHECK_OK(up_frame_allocate(machine, &frame));
    CHECK_OK(up_mirror_create(fixture.space, BASE, 4, UP_READ, &mirror));
    CHECK_OK(up_memory_file_create(machine, 1, 1, &file));

    // One thing after the other goes, and each of them alone is in the way.
    CHECK_IS(up_machine_destroy(machine), -EBUSY);
    CHECK_OK(up_space_destroy(fixture.space));
    CHECK_IS(up_machine_destroy(machine), -EBUSY);
    CHECK_OK(up_mirror_destroy(mirror));
    CHECK_IS(up_machine_destroy(machine), -EBUSY);
    CHECK_OK(up_backing_destroy(file));
    CHECK_IS(up_machine_destroy(machine), -EBUSY);
    CHECK_OK(up_frame_put(&frame));
    CHECK_IS(up_machine_destroy(machine), -EBUSY);
    // The machine that was not ended works on, and so do its pins.
    CHECK_IS(*(uint64_t *)pin.bytes, 1);
    CHECK_OK(up_unpin(&pin, 0));
    CHECK_IS(up_machine_destroy(machine), -EBUSY);
    CHECK_IS(*(uint64_t *)up_pins_bytes(&pins, 2), 4);
    CHECK_OK(up_unpin_range(&pins, 0));
    CHECK_OK(up_machine_destroy(machine));
    CHECK_IS(up_machine_destroy(machine), -EINVAL);
  }
}

void test_handles_of_another_kind(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_mirror *mirror;
  up_backing *file;
  CHECK_OK(up_mirror_create(fixture.space, BASE, 4, UP_READ, &mirror));
  CHECK_OK(up_memory_file_create(fixture.machine, 1, 1, &file));
  CHECK_IS(up_machine_destroy((up_machine *)fixture.space), -EINVAL);
  CHECK_IS(up_space_destroy((up_space *)fixture.machine), -EINVAL);
  CHECK_IS(up_backing_destroy((up_backing *)mirror), -EINVAL);
  CHECK_IS(up_mirror_destroy((up_mirror *)file), -EINVAL);
  CHECK_OK(up_mirror_destroy(mirror));
  CHECK_IS(up_mirror_destroy(mirror), -EINVAL);
  CHECK_OK(up_backing_destroy(file));
  CHECK_IS(up_backing_destroy(file), -EINVAL);
  up_space *space = fixture.space;
  face_end(fixture);
  CHECK_IS(up_space_destroy(space), -EINVAL);
}

void test_census(void) {
  struct fixture fixture = face_begin(UP_ENGINE_REFERENCE, 64, 0);
  up_census census;
  face_fill(fixture.space, 5);
  up_pin pin;
  CHECK_OK(up_space_pin(fixture.space, BASE, 0, &pin));
  CHECK_OK(up_machine_census(fixture.machine, &census));
  CHECK_IS(census.free_pages, 59);
  CHECK_IS(census.used_pages, 5);
  CHECK_IS(census.mapped_pages, 5);
  CHECK_IS(census.pins, 1);
  CHECK_IS(census.references, 6);
  CHECK(census.table_nodes >= 3);
  CHECK_IS(census.swapped_pages, 0);
  CHECK_OK(up_unpin(&pin, 0));
  face_end(fixture);
}

void test_frames(void) {
  struct fixture fixture = face_begin(UP_ENGINE_REFERENCE, 8, 0);
  up_frame frames[8], another, more;
  CHECK_IS(up_frame_allocate(NULL, &more), -EINVAL);
  CHECK_IS(up_frame_allocate(fixture.machine, NULL), -EINVAL);
  for (int index = 0; index < 8; index++) {
    CHECK_OK(up_frame_allocate(fixture.machine, &frames[index]));
    CHECK_IS(*(char *)frames[index].bytes, 0);
    memset(frames[index].bytes, index, PAGE);
  }
  CHECK_IS(up_frame_allocate(fixture.machine, &more), -ENOMEM);
  CHECK_IS(up_frame_retain(&frames[3], &frames[3]), -EINVAL);
  CHECK_OK(up_frame_retain(&frames[3], &another));
  CHECK(another.bytes == frames[3].bytes && another.number == frames[3].number);
  CHECK_OK(up_frame_put(&frames[3]));
  CHECK_IS(up_frame_put(&frames[3]), -EINVAL);
  CHECK_IS(up_frame_retain(&frames[3], &more), -EINVAL);
  // The other reference keeps it.
  CHECK_IS(up_frame_allocate(fixture.machine, &more), -ENOMEM);
  CHECK_IS(((char *)another.bytes)[PAGE - 1], 3);
  CHECK_OK(up_frame_put(&another));
  CHECK_OK(up_frame_allocate(fixture.machine, &frames[3]));
  for (int index = 0; index < 8; index++)
    CHECK_OK(up_frame_put(&frames[index]));
  CHECK_IS(up_frame_put(NULL), -EINVAL);
  face_end(fixture);
}

void test_swap_file(void) {
  const char *path = face_path("swap");
  up_machine *machine, *second = NULL;
  up_machine_options options = {.ram_pages = 16, .swap_pages = 64, .swap_path = path};
  CHECK_OK(up_machine_create(&options, &machine));
  CHECK_IS(up_machine_create(&options, &second), -EBUSY);
  options.swap_path = face_path("no such folder/swap");
  CHECK_IS(up_machine_create(&options, &second), -ENOENT);
  CHECK(second == NULL);
  // More pages than RAM: what does not fit is in the file.
  up_space *space;
  CHECK_OK(up_space_create(machine, UP_ENGINE_SLOT, &space));
  face_fill(space, 40);
  for (uint64_t page = 0; page < 40; page++)
    CHECK_IS(face_word(space, BASE + page * PAGE), page + 1);
  up_census census;
  CHECK_OK(up_machine_census(machine, &census));
  CHECK(census.swapped_pages >= 24);
  CHECK_OK(up_space_destroy(space));
  CHECK_OK(up_machine_destroy(machine));
}

void test_reclaim(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 1);
  CHECK_IS(up_machine_reclaim(NULL, 1), -EINVAL);
  face_fill(fixture.space, 20);
  up_pin pin;
  CHECK_OK(up_space_pin(fixture.space, BASE + 7 * PAGE, 0, &pin));
  int64_t freed = up_machine_reclaim(fixture.machine, 64);
  CHECK(freed > 0 && freed <= 19);
  // A pinned page stays where it is.
  CHECK_IS(*(uint64_t *)pin.bytes, 8);
  CHECK_OK(up_unpin(&pin, 0));
  for (uint64_t page = 0; page < 20; page++)
    CHECK_IS(face_word(fixture.space, BASE + page * PAGE), page + 1);
  face_end(fixture);
}

void test_reclaim_policy(void) {
  up_machine *machine = NULL;
  CHECK_IS(up_machine_create(&(up_machine_options){.ram_pages = 64, .flags = 8}, &machine), -EINVAL);
  up_machine_options options = {.ram_pages = 64, .min_free_pages = 8, .low_free_pages = 4, .high_free_pages = 16};
  CHECK_IS(up_machine_create(&options, &machine), -EINVAL);
  options.low_free_pages = 12;
  options.flags = UP_MACHINE_NO_WATERMARKS;
  CHECK_IS(up_machine_create(&options, &machine), -EINVAL);
  CHECK_IS(up_machine_create(&(up_machine_options){.ram_pages = 64, .span_pages = 64}, &machine), -EINVAL);
  CHECK(machine == NULL);
  // A reserve that only a thread that reclaims may have.
  options.flags = UP_MACHINE_NO_BACKGROUND_RECLAIM;
  options.span_pages = 4096;
  CHECK_OK(up_machine_create(&options, &machine));
  CHECK_IS(up_machine_free_pages(machine), 64);
  CHECK(up_machine_resident_bytes(machine) >= 0);
  up_frame frames[64];
  int count = 0;
  while (count < 64 && up_frame_allocate(machine, &frames[count]) == 0)
    count++;
  CHECK_IS(count, 56);
  CHECK_IS(up_machine_free_pages(machine), 8);
  CHECK(up_machine_resident_bytes(machine) >= 56 * PAGE);
  while (count > 0)
    CHECK_OK(up_frame_put(&frames[--count]));
  CHECK_OK(up_machine_destroy(machine));
  // Without swap for allocations what is anonymous stays, until reclaim is asked for.
  options = (up_machine_options){
      .ram_pages = 32, .swap_pages = 64, .flags = UP_MACHINE_NO_SWAP_FOR_ALLOCATIONS | UP_MACHINE_NO_WATERMARKS};
  CHECK_OK(up_machine_create(&options, &machine));
  up_space *space;
  CHECK_OK(up_space_create(machine, UP_ENGINE_SLOT, &space));
  face_fill(space, 32);
  CHECK_OK(up_space_map(space, BASE + 64 * PAGE, 1, READ_WRITE, 0, NULL, 0));
  CHECK_IS(up_space_store_word(space, BASE + 64 * PAGE, 8, 1), -ENOMEM);
  CHECK(up_machine_reclaim(machine, 4) >= 4);
  CHECK_OK(up_space_store_word(space, BASE + 64 * PAGE, 8, 1));
  CHECK_OK(up_space_destroy(space));
  CHECK_OK(up_machine_destroy(machine));
}

void test_frames_of_2_mib(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 1200, 0);
  up_frame huge, more, third;
  CHECK_OK(up_frame_allocate_huge(fixture.machine, &huge));
  CHECK_OK(up_frame_retain(&huge, &more));
  CHECK_IS(more.pages, UP_PAGES_PER_HUGE);
  memset(huge.bytes, 3, (size_t)UP_PAGES_PER_HUGE * PAGE);
  CHECK_OK(up_frame_put(&huge));
  CHECK_IS(((char *)more.bytes)[UP_PAGES_PER_HUGE * PAGE - 1], 3);
  CHECK_OK(up_frame_allocate_huge(fixture.machine, &huge));
  CHECK_IS(up_frame_allocate_huge(fixture.machine, &third), -ENOMEM);
  CHECK_OK(up_frame_put(&more));
  CHECK_OK(up_frame_put(&huge));
  CHECK_IS(up_frame_allocate_huge(NULL, &huge), -EINVAL);
  CHECK_IS(up_frame_allocate_huge(fixture.machine, NULL), -EINVAL);
  face_end(fixture);
}

struct complaints {
  int count, reason;
  uint64_t page;
  const void *backing_context;
};

static void note_complaint(void *context, const up_diagnostic *diagnostic) {
  struct complaints *complaints = context;
  CHECK(strlen(diagnostic->text) > 10);
  complaints->count++;
  complaints->reason = diagnostic->reason;
  complaints->page = diagnostic->page;
  complaints->backing_context = diagnostic->backing_context;
}

static int fault_nowhere(void *context, uint64_t page, int write, up_answer *answer) {
  (void)context, (void)write;
  answer->kind = UP_ANSWER_NUMBER;
  answer->number = UINT32_MAX;
  return page == 1 ? -EAGAIN : 0;
}

void test_diagnostics(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  struct complaints complaints = {.count = 0};
  up_backing *backing;
  up_backing_operations operations = {.page_count = 2, .context = &complaints, .fault = fault_nowhere};
  CHECK_OK(up_backing_create(fixture.machine, &operations, &backing));
  CHECK_OK(up_space_map(fixture.space, BASE, 2, READ_WRITE, UP_MAP_SHARED, backing, 0));
  CHECK_OK(up_machine_on_diagnostic(fixture.machine, note_complaint, &complaints));
  uint64_t value;
  CHECK_IS(up_space_load_word(fixture.space, BASE, 8, &value), -ENXIO);
  CHECK_IS(complaints.count, 1);
  CHECK_IS(complaints.reason, UP_WRONG_NUMBER);
  CHECK(complaints.backing_context == &complaints);
  CHECK_IS(up_space_load_word(fixture.space, BASE + PAGE, 8, &value), -ENXIO);
  CHECK_IS(complaints.count, 2);
  CHECK_IS(complaints.reason, UP_WRONG_ENDLESS_RETRY);
  CHECK_IS(complaints.page, 1);
  CHECK_OK(up_machine_on_diagnostic(fixture.machine, NULL, NULL));
  CHECK_OK(up_backing_destroy(backing));
  face_end(fixture);
}
