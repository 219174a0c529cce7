// What every test of the C face uses.
#ifndef CHECKS_H
#define CHECKS_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "userpages.h"

/// Notes a failure if `condition` does not hold. Any thread.
#define CHECK(condition) face_note((condition) != 0, __FILE__, __LINE__, #condition, 1, (condition) != 0)
/// Notes a failure, with both numbers, if `expression` is not `expected`.
#define CHECK_IS(expression, expected) face_compare(__FILE__, __LINE__, #expression, (expected), (expression))
/// The same for a call that must succeed.
#define CHECK_OK(call) CHECK_IS(call, 0)

void face_note(int holds, const char *file, int line, const char *text, int64_t expected, int64_t found);

static inline void face_compare(const char *file, int line, const char *text, int64_t expected, int64_t found) {
  face_note(expected == found, file, line, text, expected, found);
}

/// Whether a check of this test has failed. A race ends then.
int face_has_failed(void);

/// Where this test may make files, and how long it may race.
extern const char *face_folder;
extern double face_seconds;

/// A path in the folder.
const char *face_path(const char *name);

/// A machine, and a space of it.
struct fixture {
  up_machine *machine;
  up_space *space;
};

enum { PAGE = UP_PAGE_SIZE, READ_WRITE = UP_READ | UP_WRITE };
static const uint64_t BASE = 0x10000000;

/// Makes both. `ram_pages` frames of RAM, and as many of swap if `swaps` is not 0.
struct fixture face_begin(int engine, uint64_t ram_pages, int swaps);
/// Ends both, which must be idle.
void face_end(struct fixture fixture);

/// Maps `pages` private anonymous pages from `BASE` on, and stores its number plus 1 into each.
void face_fill(up_space *space, uint64_t pages);

/// The word at an address, or UINT64_MAX after a failed check.
uint64_t face_word(up_space *space, uint64_t address);

/// Turns a thread's own random numbers once more, and returns the new one (Knuth's linear congruential generator). Its
/// upper half is the random one.
static inline uint64_t face_turn(uint64_t *turn) {
  return *turn = *turn * 6364136223846793005u + 1442695040888963407u;
}

/// All tests, in `driver.c`.
#define FACE_TESTS(test)                                                                                               \
  test(version) test(machine_arguments) test(machine_destroy_is_refused_while_in_use) test(handles_of_another_kind)   \
  test(census) test(frames) test(swap_file) test(reclaim)                                                              \
  test(mapping_arguments) test(loads_and_stores) test(words) test(protection) test(unmapping) test(remapping)          \
  test(advice) test(forking) test(counters) test(null_arguments)                                                       \
  test(pins) test(pins_outlive) test(pin_flags) test(pin_errors) test(many_pins) test(movable_pages)                   \
  test(ranges) test(range_errors) test(vectors)                                                                        \
  test(callbacks) test(callback_errors) test(callback_numbers) test(devices) test(images) test(memory_files)           \
  test(frames_after_their_end) test(long_term_pins_of_written_pages)                                                   \
  test(backings_that_are_no_files)                                                                                     \
  test(cache) test(cache_errors) test(cache_in_few_frames) test(cache_length)                                          \
  test(mirrors) test(mirror_errors)                                                                                    \
  test(reclaim_policy) test(frames_of_2_mib) test(diagnostics) test(image_pages_move)                                  \
  test(locking) test(sealing) test(secret_memory) test(more_advice) test(moving_without_unmapping)                     \
  test(remote_accesses) test(gets) test(mappings_are_described) test(entries_and_frames_are_described)                 \
  test(pages_of_a_backing_move) test(a_backing_is_resized) test(stores_are_noticed) test(answers_of_2_mib)             \
  test(private_mappings_by_number) test(entries_ahead_of_faults)                                                       \
  test(a_store_of_callbacks) test(pages_of_a_cache_are_pinned) test(errors_are_reported_to_each_handle)                \
  test(pins_race_with_unmap) test(pins_race_with_fork) test(handles_race) test(a_file_is_cut_beside_writers)

#define DECLARE_TEST(name) void test_##name(void);
FACE_TESTS(DECLARE_TEST)

#endif
