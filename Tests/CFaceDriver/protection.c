// What a program says about its memory: locked, sealed, secret, guarded, wiped; and accesses of another process.
#include "checks.h"

void test_locking(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 1);
  up_space *space = fixture.space;
  up_entry entry;
  CHECK_OK(up_space_map(space, BASE, 4, READ_WRITE, 0, NULL, 0));
  CHECK_IS(up_space_lock(space, BASE, 5), -ENOMEM);
  CHECK_OK(up_space_unlock(space, BASE, 4));
  CHECK_OK(up_space_lock(space, BASE, 2));
  // It is faulted in for writing, and stays where it is.
  CHECK_OK(up_space_entry(space, BASE + PAGE, &entry));
  CHECK_IS(entry.kind, UP_ENTRY_NORMAL);
  CHECK_IS(entry.protection, READ_WRITE);
  CHECK_IS(up_space_advise(space, BASE, 2, UP_ADVICE_PAGE_OUT), -EINVAL);
  CHECK_OK(up_space_store_word(space, BASE + 2 * PAGE, 8, 3));
  CHECK(up_machine_reclaim(fixture.machine, 64) >= 0);
  CHECK_OK(up_space_entry(space, BASE, &entry));
  CHECK_IS(entry.kind, UP_ENTRY_NORMAL);
  CHECK_OK(up_space_unlock(space, BASE, 2));
  CHECK_OK(up_space_store_word(space, BASE, 8, 1));
  CHECK_OK(up_space_advise(space, BASE, 1, UP_ADVICE_PAGE_OUT));
  CHECK_OK(up_space_entry(space, BASE, &entry));
  CHECK_IS(entry.kind, UP_ENTRY_SWAP);
  CHECK_IS(up_space_unlock(space, BASE + 4 * PAGE, 1), -ENOMEM);
  face_end(fixture);
}

void test_sealing(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *space = fixture.space;
  face_fill(space, 3);
  CHECK_IS(up_space_seal(space, BASE, 4), -ENOMEM);
  CHECK_IS(up_space_seal(space, BASE + 1, 1), -EINVAL);
  CHECK_OK(up_space_protect(space, BASE + PAGE, 1, READ_WRITE));
  CHECK_OK(up_space_seal(space, BASE + PAGE, 1));
  CHECK_IS(up_space_unmap(space, BASE, 3), -EPERM);
  CHECK_IS(up_space_protect(space, BASE, 3, UP_READ), -EPERM);
  CHECK_IS(up_space_remap(space, BASE + PAGE, 1, BASE + 64 * PAGE, 1, 0), -EPERM);
  CHECK_IS(up_space_map(space, BASE + PAGE, 1, UP_READ, 0, NULL, 0), -EPERM);
  CHECK_IS(up_space_map(space, BASE + PAGE, 1, UP_READ, UP_MAP_NO_REPLACE, NULL, 0), -EEXIST);
  // Stores are as before, and so are the pages beside it.
  CHECK_OK(up_space_store_word(space, BASE + PAGE, 8, 20));
  CHECK_IS(face_word(space, BASE + PAGE), 20);
  CHECK_OK(up_space_unmap(space, BASE, 1));
  // The end of the space does not ask.
  face_end(fixture);
}

void test_secret_memory(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *space = fixture.space;
  up_backing *file;
  up_pin pin;
  char byte;
  CHECK_OK(up_memory_file_create(fixture.machine, 1, 1, &file));
  CHECK_IS(up_space_map(space, BASE, 1, READ_WRITE, UP_MAP_SECRET, NULL, 0), -EINVAL);
  CHECK_IS(up_space_map(space, BASE, 1, READ_WRITE, UP_MAP_SECRET | UP_MAP_SHARED, file, 0), -EINVAL);
  CHECK_IS(up_space_map(space, BASE, 1, READ_WRITE, UP_MAP_SECRET | UP_MAP_PFN | UP_MAP_SHARED, NULL, 0), -EINVAL);
  CHECK_OK(up_space_map(space, BASE, 1, READ_WRITE, UP_MAP_SECRET | UP_MAP_SHARED, NULL, 0));
  CHECK_OK(up_space_store_word(space, BASE, 8, 5));
  CHECK_IS(face_word(space, BASE), 5);
  CHECK_IS(up_space_pin(space, BASE, 0, &pin), -EFAULT);
  CHECK_IS(up_space_pin(space, BASE, UP_PIN_GET, &pin), -EFAULT);
  CHECK_IS(up_space_read_remotely(space, BASE, &byte, 1), -EFAULT);
  CHECK_OK(up_backing_destroy(file));
  face_end(fixture);
}

void test_more_advice(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 1);
  up_space *space = fixture.space, *child;
  uint64_t value;
  up_pin pin;
  up_entry entry;
  face_fill(space, 5);
  // Lazily freed: a store keeps a page, page-out drops the other.
  CHECK_OK(up_space_advise(space, BASE, 2, UP_ADVICE_FREE));
  CHECK_OK(up_space_store_word(space, BASE, 8, 11));
  CHECK_OK(up_space_advise(space, BASE, 2, UP_ADVICE_PAGE_OUT));
  CHECK_IS(face_word(space, BASE), 11);
  CHECK_IS(face_word(space, BASE + PAGE), 0);
  CHECK_OK(up_space_advise(space, BASE, 5, UP_ADVICE_COLD));
  CHECK_IS(face_word(space, BASE + 2 * PAGE), 3);
  // A child finds zeroes in what is wiped.
  CHECK_OK(up_space_advise(space, BASE + 2 * PAGE, 2, UP_ADVICE_WIPE_ON_FORK));
  CHECK_OK(up_space_advise(space, BASE + 3 * PAGE, 1, UP_ADVICE_KEEP_ON_FORK));
  CHECK_OK(up_space_fork(space, &child));
  CHECK_IS(face_word(child, BASE + 2 * PAGE), 0);
  CHECK_IS(face_word(child, BASE + 3 * PAGE), 4);
  CHECK_OK(up_space_destroy(child));
  // A guard marker forbids what the mapping allows.
  CHECK_OK(up_space_advise(space, BASE + 4 * PAGE, 1, UP_ADVICE_GUARD_INSTALL));
  CHECK_IS(up_space_load_word(space, BASE + 4 * PAGE, 8, &value), -EFAULT);
  CHECK_IS(up_space_pin(space, BASE + 4 * PAGE, UP_PIN_WRITE, &pin), -EFAULT);
  CHECK_OK(up_space_entry(space, BASE + 4 * PAGE, &entry));
  CHECK_IS(entry.kind, UP_ENTRY_GUARD);
  CHECK_OK(up_space_advise(space, BASE + 4 * PAGE, 1, UP_ADVICE_GUARD_REMOVE));
  CHECK_IS(face_word(space, BASE + 4 * PAGE), 0);
  face_end(fixture);
}

void test_moving_without_unmapping(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *space = fixture.space;
  const uint64_t there = BASE + 64 * PAGE;
  face_fill(space, 3);
  CHECK_IS(up_space_remap(space, BASE, 3, there, 3, 2), -EINVAL);
  CHECK_IS(up_space_remap(space, BASE, 3, there, 4, UP_REMAP_DONT_UNMAP), -EINVAL);
  CHECK_OK(up_space_remap(space, BASE, 3, there, 3, UP_REMAP_DONT_UNMAP));
  CHECK_IS(face_word(space, there + 2 * PAGE), 3);
  // The old range is mapped, and has no page.
  CHECK_IS(face_word(space, BASE + 2 * PAGE), 0);
  face_end(fixture);
}

void test_remote_accesses(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 1200, 0);
  up_space *space = fixture.space;
  static char text[3 * PAGE], back[3 * PAGE];
  for (size_t index = 0; index < sizeof text; index++)
    text[index] = (char)(index * 13);
  CHECK_OK(up_space_map(space, BASE, 4, READ_WRITE, 0, NULL, 0));
  CHECK_IS(up_space_write_remotely(space, BASE + 100, text, sizeof text), sizeof text);
  CHECK_IS(up_space_read_remotely(space, BASE + 100, back, sizeof back), sizeof back);
  CHECK_IS(memcmp(text, back, sizeof text), 0);
  // Up to the hole, and nothing from inside of it.
  CHECK_IS(up_space_read_remotely(space, BASE + 3 * PAGE, back, 2 * PAGE), PAGE);
  CHECK_IS(up_space_write_remotely(space, BASE + 4 * PAGE - 2, text, 4), 2);
  CHECK_IS(up_space_read_remotely(space, BASE + 4 * PAGE, back, 1), -EFAULT);
  CHECK_IS(up_space_write_remotely(space, BASE + 4 * PAGE, text, 1), -EFAULT);
  CHECK_IS(up_space_read_remotely(space, BASE, NULL, 1), -EINVAL);
  CHECK_IS(up_space_read_remotely(space, BASE, NULL, 0), 0);
  CHECK_IS(up_space_write_remotely(space, BASE, text, SIZE_MAX), -EINVAL);
  // The mapping decides: an entry of memory that may only be stored to would let a load pass.
  CHECK_OK(up_space_protect(space, BASE, 1, UP_WRITE));
  CHECK_OK(up_space_load(space, BASE, back, 1));
  CHECK_IS(up_space_read_remotely(space, BASE, back, 1), -EFAULT);
  // More than one part, ended by a hole in the second.
  static char large[(UP_PAGES_PER_HUGE + 1) * PAGE];
  CHECK_OK(up_space_map(space, BASE + (1 << 24), UP_PAGES_PER_HUGE, READ_WRITE, 0, NULL, 0));
  memset(large, 7, sizeof large);
  CHECK_IS(up_space_write_remotely(space, BASE + (1 << 24), large, sizeof large), UP_PAGES_PER_HUGE * PAGE);
  memset(large, 0, sizeof large);
  CHECK_IS(up_space_read_remotely(space, BASE + (1 << 24), large, sizeof large), UP_PAGES_PER_HUGE * PAGE);
  CHECK_IS(large[0], 7);
  CHECK_IS(large[UP_PAGES_PER_HUGE * PAGE - 1], 7);
  CHECK_IS(large[UP_PAGES_PER_HUGE * PAGE], 0);
  face_end(fixture);
}

void test_gets(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_space *space = fixture.space, *child;
  face_fill(space, 2);
  up_pin pin, get;
  up_pins gets;
  CHECK_OK(up_space_pin(space, BASE, 0, &pin));
  CHECK_OK(up_space_pin(space, BASE + PAGE, UP_PIN_GET, &get));
  CHECK_OK(up_space_fork(space, &child));
  CHECK_OK(up_space_store_word(space, BASE, 8, 100));
  CHECK_OK(up_space_store_word(space, BASE + PAGE, 8, 200));
  // A pin keeps holder and program at one page. A get keeps the frame alone.
  CHECK_IS(*(uint64_t *)pin.bytes, 100);
  CHECK_IS(*(uint64_t *)get.bytes, 2);
  CHECK_OK(up_unpin(&pin, 0));
  CHECK_OK(up_unpin(&get, 0));
  CHECK_IS(up_space_pin_range(space, BASE, 2, UP_PIN_GET, &gets), 2);
  uint64_t first, second;
  CHECK_OK(up_pins_frame_number(&gets, 0, &first));
  CHECK_OK(up_pins_frame_number(&gets, 1, &second));
  CHECK(first != second);
  CHECK_IS(up_pins_frame_number(&gets, 2, &first), -EINVAL);
  CHECK_OK(up_unpin_range(&gets, 0));
  CHECK_IS(up_pins_frame_number(&gets, 0, &first), -EINVAL);
  CHECK_OK(up_space_destroy(child));
  face_end(fixture);
}
