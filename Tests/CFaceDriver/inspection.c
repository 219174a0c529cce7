// What mappings, entries and frames say.
#include "checks.h"

void test_mappings_are_described(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_mapping mapping;
  CHECK_IS(up_space_mapping(fixture.space, BASE, &mapping), -EFAULT);
  CHECK_OK(up_space_map(fixture.space, BASE, 4, READ_WRITE, UP_MAP_SHARED, NULL, 0));
  CHECK_OK(up_space_protect(fixture.space, BASE + 2 * PAGE, 2, UP_READ));
  CHECK_OK(up_space_mapping(fixture.space, BASE + PAGE + 5, &mapping));
  CHECK_IS(mapping.address, BASE);
  CHECK_IS(mapping.pages, 2);
  CHECK_IS(mapping.protection, READ_WRITE);
  CHECK_IS(mapping.flags, UP_MAP_SHARED);
  CHECK_OK(up_space_mapping(fixture.space, BASE + 2 * PAGE, &mapping));
  CHECK_IS(mapping.address, BASE + 2 * PAGE);
  CHECK_IS(mapping.protection, UP_READ);
  CHECK_IS(up_space_mapping(fixture.space, UINT64_MAX, &mapping), -EFAULT);
  face_end(fixture);
}

void test_entries_and_frames_are_described(void) {
  struct fixture fixture = face_begin(UP_ENGINE_REFERENCE, 64, 0);
  up_space *space = fixture.space, *child;
  up_entry entry;
  up_frame_state state;
  CHECK_OK(up_space_entry(space, BASE, &entry));
  CHECK_IS(entry.kind, UP_ENTRY_NONE);
  CHECK_IS(up_space_frame(space, BASE, &state), -EFAULT);
  CHECK_OK(up_space_map(space, BASE, 2, READ_WRITE, 0, NULL, 0));
  // A load finds the zero page, a store a page.
  CHECK_IS(face_word(space, BASE), 0);
  CHECK_OK(up_space_entry(space, BASE, &entry));
  CHECK_IS(entry.kind, UP_ENTRY_ZERO);
  CHECK_OK(up_space_store_word(space, BASE, 8, 1));
  CHECK_OK(up_space_entry(space, BASE, &entry));
  CHECK_IS(entry.kind, UP_ENTRY_NORMAL);
  CHECK_IS(entry.protection, READ_WRITE);
  CHECK(entry.is_dirty);
  up_pin pin;
  uint64_t number;
  CHECK_OK(up_space_pin(space, BASE, 0, &pin));
  CHECK_OK(up_space_frame(space, BASE, &state));
  CHECK_IS(state.maps, 1);
  CHECK_IS(state.pins, 1);
  CHECK_IS(state.references, 2);
  CHECK(state.is_anonymous && state.is_exclusive);
  CHECK_OK(up_pin_frame_number(&pin, &number));
  CHECK_OK(up_unpin(&pin, 0));
  CHECK_OK(up_space_fork(space, &child));
  CHECK_OK(up_machine_frame(fixture.machine, number, &state));
  CHECK_IS(state.maps, 2);
  CHECK_IS(state.pins, 0);
  CHECK(!state.is_exclusive);
  CHECK_OK(up_space_entry(child, BASE, &entry));
  CHECK_IS(entry.protection, UP_READ);
  CHECK_IS(up_machine_frame(fixture.machine, UINT64_MAX, &state), -EINVAL);
  CHECK_OK(up_space_destroy(child));
  face_end(fixture);
}
