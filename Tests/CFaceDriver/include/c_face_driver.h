// The tests of the C face, written in C as its users write. A Swift test runs each of them by its name.
#ifndef C_FACE_DRIVER_H
#define C_FACE_DRIVER_H

#include <stddef.h>

/// How many tests there are.
size_t face_test_count(void);

/// The name of a test.
const char *face_test_name(size_t index);

/// Runs a test. Returns what failed, a line each, which the caller frees; null if nothing did. One test at a time.
///
/// - `folder`: where files may be made.
/// - `seconds`: how long a race lasts.
char *face_run(size_t index, const char *folder, double seconds);

#endif
