// The errors of a program's own store, as they come out of each call.
#include <stdatomic.h>
#include <sys/uio.h>

#include "checks.h"

enum { STORE_PAGES = 16 };

/// A store that refuses calls of one kind.
struct refusal {
  atomic_int step, code;
};

enum { REFUSE_NONE, REFUSE_READ, REFUSE_WRITE, REFUSE_RESIZE, REFUSE_PUNCH, REFUSE_SYNC, REFUSE_STORE, REFUSE_LOG };

static int refused(void *context, int step) {
  struct refusal *refusal = context;
  return atomic_load(&refusal->step) == step ? -atomic_load(&refusal->code) : 0;
}

static int refuse_read(void *context, uint64_t page, const struct iovec *pages, size_t count) {
  (void)page;
  for (size_t index = 0; index < count; index++)
    memset(pages[index].iov_base, 0, PAGE);
  return refused(context, REFUSE_READ);
}
static int refuse_write(void *context, uint64_t page, const struct iovec *pages, size_t count) {
  (void)page, (void)pages, (void)count;
  return refused(context, REFUSE_WRITE);
}
static int refuse_resize(void *context, uint64_t length) { return (void)length, refused(context, REFUSE_RESIZE); }
static int refuse_punch(void *context, uint64_t first_page, uint64_t pages) {
  return (void)first_page, (void)pages, refused(context, REFUSE_PUNCH);
}
static int refuse_sync(void *context) { return refused(context, REFUSE_SYNC); }
static int refuse_store(void *context, uint64_t page) { return (void)page, refused(context, REFUSE_STORE); }
static int refuse_log(void *context, const uint64_t *pages, size_t count) {
  return (void)pages, (void)count, refused(context, REFUSE_LOG);
}

/// Each errno of each callback comes out of the call. A program's access is -ENXIO and a pin -EFAULT, if memory is not
/// lacking.
void test_each_errno_of_each_callback_comes_out(void) {
  static const int codes[] = {ENOSPC, ENOMEM, EIO, EINVAL, EDQUOT, EBUSY, EAGAIN, EROFS, EOPNOTSUPP};
  for (size_t index = 0; index < sizeof codes / sizeof *codes; index++) {
    struct fixture fixture = face_begin(UP_ENGINE_SLOT, 128, 0);
    int code = codes[index];
    static struct refusal refusal;
    atomic_store(&refusal.code, code);
    atomic_store(&refusal.step, REFUSE_READ);
    up_store_operations operations = {
        .context = &refusal, .length = STORE_PAGES * PAGE, .read = refuse_read, .write = refuse_write,
        .resize = refuse_resize, .punch_hole = refuse_punch, .sync = refuse_sync};
    up_cache_options options = {
        .limit = 8, .context = &refusal, .will_store = refuse_store, .will_write_back = refuse_log};
    up_backing *cache = NULL;
    CHECK_OK(up_cache_create(fixture.machine, &operations, &options, &cache));
    CHECK_OK(up_space_map(fixture.space, BASE, STORE_PAGES, READ_WRITE, UP_MAP_SHARED, cache, 0));
    uint64_t value = 0;
    up_pin pin;
    CHECK_IS(up_file_read(cache, 0, &value, 8), -code);
    CHECK_IS(up_space_load_word(fixture.space, BASE, 8, &value), code == ENOMEM ? -ENOMEM : -ENXIO);
    CHECK_IS(up_space_pin(fixture.space, BASE, 0, &pin), code == ENOMEM ? -ENOMEM : -EFAULT);
    CHECK_IS(up_cache_pin(cache, 0, &pin), -code);
    atomic_store(&refusal.step, REFUSE_STORE);
    CHECK_IS(up_space_store_word(fixture.space, BASE, 8, 1), code == ENOMEM ? -ENOMEM : -ENXIO);
    CHECK_IS(up_file_write(cache, 0, "a", 1), -code);
    static const int steps[] = {REFUSE_WRITE, REFUSE_SYNC, REFUSE_LOG};
    for (size_t step = 0; step < sizeof steps / sizeof *steps; step++) {
      atomic_store(&refusal.step, REFUSE_NONE);
      CHECK_OK(up_space_store_word(fixture.space, BASE, 8, 1));
      atomic_store(&refusal.step, steps[step]);
      CHECK_IS(up_cache_sync(cache), -code);
    }
    atomic_store(&refusal.step, REFUSE_PUNCH);
    CHECK_IS(up_file_punch_hole(cache, 0, 1), -code);
    atomic_store(&refusal.step, REFUSE_RESIZE);
    CHECK_IS(up_file_resize(cache, PAGE), -code);
    atomic_store(&refusal.step, REFUSE_NONE);
    CHECK_OK(up_cache_sync(cache));
    CHECK_OK(up_backing_destroy(cache));
    CHECK_OK(up_space_exit(fixture.space));
    face_end(fixture);
  }
}
