// No function is given a null pointer in vain.
#include <sys/uio.h>

#include "checks.h"

void test_null_arguments(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_machine *machine = fixture.machine;
  up_space *space = fixture.space;
  up_backing *file;
  up_mirror *mirror;
  up_pin pin = {NULL, {0}};
  up_pins pins = {0, {0}};
  uint64_t value = 0;
  struct iovec vector;
  CHECK_OK(up_memory_file_create(machine, 1, 1, &file));
  CHECK_OK(up_mirror_create(space, BASE, 1, UP_WRITE, &mirror));
  face_fill(space, 1);

  CHECK_IS(up_machine_flush(NULL), -EINVAL);
  CHECK_IS(up_machine_census(NULL, &(up_census){0}), -EINVAL);
  CHECK_IS(up_space_create(NULL, UP_ENGINE_SLOT, &space), -EINVAL);
  CHECK_IS(up_space_create(machine, UP_ENGINE_SLOT, NULL), -EINVAL);
  CHECK_IS(up_space_fork(NULL, &space), -EINVAL);
  CHECK_IS(up_space_exit(NULL), -EINVAL);
  CHECK_IS(up_space_destroy(NULL), -EINVAL);
  CHECK_IS(up_space_map(NULL, BASE, 1, UP_READ, 0, NULL, 0), -EINVAL);
  CHECK_IS(up_space_unmap(NULL, BASE, 1), -EINVAL);
  CHECK_IS(up_space_protect(NULL, BASE, 1, UP_READ), -EINVAL);
  CHECK_IS(up_space_remap(NULL, BASE, 1, BASE, 1), -EINVAL);
  CHECK_IS(up_space_advise(NULL, BASE, 1, UP_ADVICE_DONT_NEED), -EINVAL);
  CHECK_IS(up_space_load(NULL, BASE, &value, 8), -EINVAL);
  CHECK_IS(up_space_store(NULL, BASE, &value, 8), -EINVAL);
  CHECK_IS(up_space_store(space, BASE, NULL, 8), -EINVAL);
  CHECK_IS(up_space_load_word(NULL, BASE, 8, &value), -EINVAL);
  CHECK_IS(up_space_store_word(NULL, BASE, 8, 0), -EINVAL);
  CHECK_IS(up_space_count(NULL, &(up_space_counters){0}), -EINVAL);
  CHECK_IS(up_space_pin(NULL, BASE, 0, &pin), -EINVAL);
  CHECK_IS(up_space_pin(space, BASE, 0, NULL), -EINVAL);
  CHECK_IS(up_unpin(NULL, 0), -EINVAL);
  CHECK_IS(up_unpin(&pin, 0), -EINVAL);
  CHECK_IS(up_pin_frame_number(NULL, &value), -EINVAL);
  CHECK_IS(up_pin_frame_number(&pin, &value), -EINVAL);
  CHECK_IS(up_space_pin_range(NULL, BASE, 1, 0, &pins), -EINVAL);
  CHECK_IS(up_space_pin_range(space, BASE, 1, 0, NULL), -EINVAL);
  CHECK_IS(up_unpin_range(NULL, 0), -EINVAL);
  CHECK_IS(up_unpin_range(&pins, 0), -EINVAL);
  CHECK(up_pins_bytes(NULL, 0) == NULL);
  CHECK(up_pins_bytes(&pins, 0) == NULL);
  CHECK_IS(up_pins_vectors(NULL, 0, &vector, 1, &value), -EINVAL);
  CHECK_IS(up_pins_vectors(&pins, 0, NULL, 1, &value), -EINVAL);
  CHECK_IS(up_pins_vectors(&pins, 0, &vector, 1, NULL), -EINVAL);
  CHECK_IS(up_backing_create(machine, NULL, &file), -EINVAL);
  CHECK_IS(up_memory_file_create(NULL, 1, 1, &file), -EINVAL);
  CHECK_IS(up_memory_file_create(machine, 1, 1, NULL), -EINVAL);
  CHECK_IS(up_device_create(NULL, 1, &file), -EINVAL);
  CHECK_IS(up_image_open(machine, NULL, &file), -EINVAL);
  CHECK_IS(up_backing_destroy(NULL), -EINVAL);
  CHECK_IS(up_backing_page_count(NULL), -EINVAL);
  CHECK(up_device_bytes(NULL, 0) == NULL);
  CHECK_IS(up_device_first_number(NULL, &value), -EINVAL);
  CHECK_IS(up_file_length(NULL, &value), -EINVAL);
  CHECK_IS(up_file_length(file, NULL), -EINVAL);
  CHECK_IS(up_file_read(NULL, 0, &value, 8), -EINVAL);
  CHECK_IS(up_file_read(file, 0, NULL, 8), -EINVAL);
  CHECK_IS(up_file_write(NULL, 0, &value, 8), -EINVAL);
  CHECK_IS(up_file_write(file, 0, NULL, 8), -EINVAL);
  CHECK_IS(up_file_resize(NULL, 0), -EINVAL);
  CHECK_IS(up_file_punch_hole(NULL, 0, 1), -EINVAL);
  CHECK_IS(up_cache_open(machine, NULL, &(up_cache_options){.limit = 1}, &file), -EINVAL);
  CHECK_IS(up_cache_open(machine, face_path("nulls"), NULL, &file), -EINVAL);
  CHECK_IS(up_cache_sync(NULL), -EINVAL);
  CHECK_IS(up_cache_flush(NULL, 0, 1), -EINVAL);
  CHECK_IS(up_cache_evict(NULL, 1), -EINVAL);
  CHECK_IS(up_cache_count(NULL, &(up_cache_counters){0}), -EINVAL);
  CHECK_IS(up_mirror_create(NULL, BASE, 1, UP_READ, &mirror), -EINVAL);
  CHECK_IS(up_mirror_create(space, BASE, 1, UP_READ, NULL), -EINVAL);
  CHECK_IS(up_mirror_destroy(NULL), -EINVAL);
  CHECK_IS(up_mirror_load(NULL, BASE, &value, 8), -EINVAL);
  CHECK_IS(up_mirror_load(mirror, BASE, NULL, 8), -EINVAL);
  CHECK_IS(up_mirror_store(NULL, BASE, &value, 8), -EINVAL);
  CHECK_IS(up_mirror_store(mirror, BASE, NULL, 8), -EINVAL);
  CHECK_IS(up_mirror_load_word(NULL, BASE, 8, &value), -EINVAL);
  CHECK_IS(up_mirror_load_word(mirror, BASE, 8, NULL), -EINVAL);
  CHECK_IS(up_mirror_store_word(NULL, BASE, 8, 0), -EINVAL);
  CHECK_IS(up_mirror_sequence(NULL, &value), -EINVAL);
  CHECK_IS(up_mirror_sequence(mirror, NULL), -EINVAL);

  CHECK_OK(up_mirror_destroy(mirror));
  CHECK_OK(up_backing_destroy(file));
  face_end(fixture);
}
