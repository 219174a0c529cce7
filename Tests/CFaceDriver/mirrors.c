// Mirrors.
#include "checks.h"

void test_mirrors(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 1);
  up_mirror *mirror;
  CHECK_OK(up_mirror_create(fixture.space, BASE, 4, UP_WRITE, &mirror));
  face_fill(fixture.space, 4);
  uint64_t value, before, after;
  CHECK_OK(up_mirror_load_word(mirror, BASE + 2 * PAGE, 8, &value));
  CHECK_IS(value, 3);
  CHECK_OK(up_mirror_store_word(mirror, BASE + 2 * PAGE, 8, 30));
  CHECK_IS(face_word(fixture.space, BASE + 2 * PAGE), 30);
  char text[8], back[8];
  memcpy(text, "mirrored", 8);
  CHECK_OK(up_mirror_store(mirror, BASE + PAGE - 4, text, 8));
  CHECK_OK(up_mirror_load(mirror, BASE + PAGE - 4, back, 8));
  CHECK_IS(memcmp(text, back, 8), 0);
  CHECK_OK(up_mirror_load_word(mirror, BASE + PAGE - 1, 2, &value));
  CHECK_IS(value, 'r' | 'o' << 8);

  CHECK_IS(up_mirror_holds(mirror, BASE + 2 * PAGE), 1);
  CHECK_IS(up_mirror_holds(mirror, BASE + 4 * PAGE), 0);
  // A store is no revocation, an unmap is one.
  CHECK_OK(up_mirror_sequence(mirror, &before));
  CHECK_OK(up_space_store_word(fixture.space, BASE, 8, 5));
  CHECK_OK(up_mirror_sequence(mirror, &after));
  CHECK_IS(after, before);
  CHECK_OK(up_space_unmap(fixture.space, BASE, 1));
  CHECK_OK(up_mirror_sequence(mirror, &after));
  CHECK(after != before);
  CHECK_IS(up_mirror_holds(mirror, BASE), 0);
  CHECK_IS(up_mirror_load_word(mirror, BASE, 8, &value), -EFAULT);
  // It keeps no page: this one goes, and comes back.
  CHECK_OK(up_space_advise(fixture.space, BASE + 2 * PAGE, 1, UP_ADVICE_PAGE_OUT));
  CHECK_OK(up_mirror_load_word(mirror, BASE + 2 * PAGE, 8, &value));
  CHECK_IS(value, 30);
  CHECK_OK(up_space_destroy(fixture.space));
  CHECK_IS(up_mirror_load_word(mirror, BASE + 2 * PAGE, 8, &value), -EFAULT);
  CHECK_OK(up_mirror_destroy(mirror));
  CHECK_OK(up_machine_destroy(fixture.machine));
}

void test_mirror_errors(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_mirror *mirror = NULL;
  CHECK_IS(up_mirror_create(fixture.space, BASE + 1, 1, UP_READ, &mirror), -EINVAL);
  CHECK_IS(up_mirror_create(fixture.space, BASE, 0, UP_READ, &mirror), -EINVAL);
  CHECK_IS(up_mirror_create(fixture.space, BASE, 1, 0, &mirror), -EINVAL);
  CHECK_IS(up_mirror_create(fixture.space, BASE, 1, 4, &mirror), -EINVAL);
  CHECK(mirror == NULL);
  face_fill(fixture.space, 2);
  CHECK_OK(up_mirror_create(fixture.space, BASE, 1, UP_READ, &mirror));
  uint64_t value;
  char bytes[PAGE + 1];
  CHECK_IS(up_mirror_load_word(mirror, BASE, 5, &value), -EINVAL);
  CHECK_IS(up_mirror_store_word(mirror, BASE, 5, 0), -EINVAL);
  CHECK_IS(up_mirror_store_word(mirror, BASE, 8, 0), -EFAULT);
  CHECK_IS(up_mirror_store(mirror, BASE, bytes, 1), -EFAULT);
  CHECK_IS(up_mirror_load(mirror, BASE, bytes, sizeof bytes), -EFAULT);
  CHECK_IS(bytes[0], 1);
  CHECK_IS(up_mirror_load_word(mirror, BASE + PAGE, 8, &value), -EFAULT);
  CHECK_OK(up_mirror_destroy(mirror));
  face_end(fixture);
}
