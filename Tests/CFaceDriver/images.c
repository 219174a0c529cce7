// Images: memory without descriptors. Its pages move into the page cache and back.
#include <fcntl.h>
#include <unistd.h>

#include "checks.h"

void test_images(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *image = NULL;
  CHECK_IS(up_image_open(fixture.machine, face_path("no image"), &image), -ENOENT);
  char path[4096];
  snprintf(path, sizeof path, "%s", face_path("image"));
  int file = open(path, O_RDWR | O_CREAT, 0600);
  CHECK(file >= 0);
  CHECK_IS(up_image_open(fixture.machine, path, &image), -EINVAL);
  CHECK(image == NULL);
  CHECK_IS(pwrite(file, "code", 4, PAGE), 4);
  close(file);
  CHECK_OK(up_image_open(fixture.machine, path, &image));
  CHECK_IS(up_backing_page_count(image), 2);
  CHECK_OK(up_space_map(fixture.space, BASE, 2, READ_WRITE, UP_MAP_MIXED, image, 0));
  char text[4];
  CHECK_OK(up_space_load(fixture.space, BASE + PAGE, text, 4));
  CHECK_IS(memcmp(text, "code", 4), 0);
  up_census census;
  CHECK_OK(up_machine_census(fixture.machine, &census));
  CHECK_IS(census.used_pages, 0);
  // Memory without descriptors cannot be pinned for reading. A store copies, and the copy can.
  up_pin pin;
  CHECK_IS(up_space_pin(fixture.space, BASE + PAGE, 0, &pin), -EFAULT);
  CHECK_OK(up_space_store(fixture.space, BASE + PAGE, "data", 4));
  CHECK_OK(up_space_pin(fixture.space, BASE + PAGE, 0, &pin));
  CHECK_IS(memcmp(pin.bytes, "data", 4), 0);
  CHECK_OK(up_unpin(&pin, 0));
  CHECK_OK(up_backing_destroy(image));
  face_end(fixture);
}

void test_image_pages_move(void) {
  struct fixture fixture = face_begin(UP_ENGINE_SLOT, 64, 0);
  up_backing *image = NULL, *device;
  CHECK_IS(up_image_create(fixture.machine, "", 0, &image), -EINVAL);
  CHECK_IS(up_image_create(fixture.machine, NULL, 1, &image), -EINVAL);
  CHECK(image == NULL);
  CHECK_OK(up_image_create(fixture.machine, "abcdefgh", 8, &image));
  CHECK_IS(up_backing_page_count(image), 1);
  CHECK_OK(up_space_map(fixture.space, BASE, 1, UP_READ, UP_MAP_MIXED | UP_MAP_SHARED, image, 0));
  char text[8] = "";
  CHECK_IS(up_file_read(image, 2, text, 2), 2);
  CHECK_IS(memcmp(text, "cd", 2), 0);
  CHECK_IS(up_file_write(image, 0, text, 2), -EINVAL);
  up_pin pin;
  CHECK_IS(up_space_pin(fixture.space, BASE, 0, &pin), -EFAULT);
  CHECK_IS(up_image_is_cached(image, 0), 0);
  // In the page cache it has a descriptor, and can be pinned.
  CHECK_OK(up_image_move(image, 0, 1));
  CHECK_OK(up_image_move(image, 0, 1));
  CHECK_IS(up_image_is_cached(image, 0), 1);
  CHECK_OK(up_space_pin(fixture.space, BASE, 0, &pin));
  CHECK_IS(memcmp(pin.bytes, "abcdefgh", 8), 0);
  CHECK_IS(up_image_move(image, 0, 0), -EBUSY);
  CHECK_OK(up_unpin(&pin, 0));
  CHECK_OK(up_image_move(image, 0, 0));
  CHECK_IS(up_image_is_cached(image, 0), 0);
  CHECK_IS(up_image_move(image, 1, 1), -EINVAL);
  // By its own policy: hot after one pass, cold after one.
  CHECK_OK(up_space_load(fixture.space, BASE, text, 8));
  CHECK_IS(up_image_run_policy(image, 1, 1), 1);
  CHECK_IS(up_image_is_cached(image, 0), 1);
  CHECK_IS(up_image_run_policy(image, 1, 1), 1);
  CHECK_IS(up_image_is_cached(image, 0), 0);
  CHECK_IS(up_image_run_policy(image, 0, 1), -EINVAL);
  CHECK_OK(up_device_create(fixture.machine, 1, &device));
  CHECK_IS(up_image_move(device, 0, 1), -EINVAL);
  CHECK_IS(up_image_is_cached(device, 0), -EINVAL);
  CHECK_IS(up_image_run_policy(device, 1, 1), -EINVAL);
  CHECK_OK(up_backing_destroy(device));
  CHECK_OK(up_backing_destroy(image));
  face_end(fixture);
}
