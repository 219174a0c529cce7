// Runs all tests of the C face, as `swift test` does, in a program without Swift.
#include <stdio.h>
#include <stdlib.h>

#include "c_face_driver.h"

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s FOLDER SECONDS\n", argv[0]);
    return 2;
  }
  int failed = 0;
  for (size_t index = 0; index < face_test_count(); index++) {
    char *failures = face_run(index, argv[1], atof(argv[2]));
    if (!failures)
      continue;
    failed++;
    fprintf(stderr, "%s:\n%s", face_test_name(index), failures);
    free(failures);
  }
  printf("%zu tests, %d failed\n", face_test_count(), failed);
  return failed == 0 ? 0 : 1;
}
