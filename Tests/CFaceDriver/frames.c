// Frames that a C program owns, in answers of its backings.
#include "checks.h"

static void note_reason(void *context, const up_diagnostic *diagnostic) { *(int *)context = diagnostic->reason; }

static int fault_frame(void *context, uint64_t page, int write, up_answer *answer) {
  (void)page, (void)write;
  answer->kind = UP_ANSWER_FRAME;
  answer->frame = *(up_frame *)context;
  return 0;
}

static int fault_retained(void *context, uint64_t page, int write, up_answer *answer) {
  (void)page, (void)write;
  answer->kind = UP_ANSWER_FRAME;
  return up_frame_retain(context, &answer->frame);
}

void test_frames_after_their_end(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_frame frame;
  CHECK_OK(up_frame_allocate(fixture.machine, &frame));
  up_frame stale = frame;
  CHECK_OK(up_frame_put(&frame));
  up_backing *backing;
  up_backing_operations operations = {.page_count = 1, .context = &stale, .fault = fault_frame};
  CHECK_OK(up_backing_create(fixture.machine, &operations, &backing));
  int reason = -1;
  CHECK_OK(up_machine_on_diagnostic(fixture.machine, note_reason, &reason));
  CHECK_OK(up_space_map(fixture.space, BASE, 1, READ_WRITE, UP_MAP_SHARED, backing, 0));
  uint64_t value;
  CHECK_IS(up_space_load_word(fixture.space, BASE, 8, &value), -ENXIO);
  CHECK_IS(reason, UP_WRONG_FRAME_NOT_SHARED);
  // The number is a program's by now.
  CHECK_OK(up_space_map(fixture.space, BASE + PAGE, 63, READ_WRITE, 0, NULL, 0));
  for (int page = 1; page < 64 && up_space_store_word(fixture.space, BASE + page * PAGE, 8, 1) == 0; page++)
    ;
  reason = -1;
  CHECK_IS(up_space_load_word(fixture.space, BASE, 8, &value), -ENXIO);
  CHECK_IS(reason, UP_WRONG_FRAME_NOT_SHARED);
  CHECK_OK(up_space_unmap(fixture.space, BASE, 64));
  CHECK_OK(up_machine_on_diagnostic(fixture.machine, NULL, NULL));
  CHECK_OK(up_backing_destroy(backing));
  face_end(fixture);
}

static int allow_store(void *context, uint64_t page) {
  (void)context, (void)page;
  return 0;
}

void test_long_term_pins_of_written_pages(void) {
  static const int engines[] = {UP_ENGINE_LOCKED, UP_ENGINE_REFERENCE, UP_ENGINE_SLOT};
  for (size_t engine = 0; engine < 3; engine++) {
    struct fixture fixture = face_begin(engines[engine], 64, 0);
    up_frame frame;
    CHECK_OK(up_frame_allocate(fixture.machine, &frame));
    up_backing *backing;
    up_backing_operations operations = {
        .page_count = 1, .context = &frame, .fault = fault_retained, .will_store = allow_store};
    CHECK_OK(up_backing_create(fixture.machine, &operations, &backing));
    CHECK_OK(up_space_map(fixture.space, BASE, 1, READ_WRITE, UP_MAP_SHARED, backing, 0));
    up_pin pin;
    CHECK_IS(up_space_pin(fixture.space, BASE, UP_PIN_WRITE | UP_PIN_LONG_TERM, &pin), -EFAULT);
    CHECK_OK(up_space_store_word(fixture.space, BASE, 8, 1));
    // Resident and dirty, so that the fast path finds it.
    CHECK_IS(up_space_pin(fixture.space, BASE, UP_PIN_WRITE | UP_PIN_LONG_TERM, &pin), -EFAULT);
    CHECK_OK(up_space_pin(fixture.space, BASE, UP_PIN_WRITE, &pin));
    CHECK_OK(up_unpin(&pin, 1));
    CHECK_OK(up_space_unmap(fixture.space, BASE, 1));
    CHECK_OK(up_frame_put(&frame));
    CHECK_OK(up_backing_destroy(backing));
    face_end(fixture);
  }
}
