// Pins: pages that stay put (`pin_user_pages`).
#ifndef USERPAGES_PIN_H
#define USERPAGES_PIN_H

#include "base.h"

struct iovec;

UP_BEGIN

/// What a pin is for (`FOLL_...`). 0 is a short pin for reading.
enum {
  /// The holder will store to the page. Copy-on-write is broken first (FOLL_WRITE).
  UP_PIN_WRITE = 1,
  /// The holder may keep the page for an unbounded time (FOLL_LONGTERM).
  UP_PIN_LONG_TERM = 2,
  /// The mapping's protection does not count, as for a debugger (FOLL_FORCE).
  UP_PIN_FORCE = 4,
  /// Only the fast path: no lock and no fault, or -EAGAIN (FOLL_FAST_ONLY).
  UP_PIN_FAST_ONLY = 8,
  /// A plain reference instead of a pin (FOLL_GET). It keeps the frame and promises nothing else: copy-on-write may
  /// give the program another frame, and then holder and program do not see one page. Not with UP_PIN_LONG_TERM. It
  /// ends as a pin does.
  UP_PIN_GET = 16,
  /// No fault: a page that is not there is -EFAULT (FOLL_NOFAULT).
  UP_PIN_NO_FAULT = 32
};

/// One pinned page. A plain value that owns nothing outside of itself: no call allocates for it. It may be copied to
/// another place and handed to another thread, but the pin is one, and ends once.
typedef struct up_pin {
  /// The page's 4096 bytes, page-aligned, good until the pin ends: for `pread(2)`, O_DIRECT, registered buffers. Null
  /// after the end.
  ///
  /// Other threads may store to the page meanwhile. A program that shares it so uses atomic accesses. The kernel may do
  /// what it likes.
  void *bytes;
  /// The library's own.
  uint64_t words[4];
} up_pin;

/// Pins the page that holds `address` (`pin_user_pages_fast`).
///
/// Afterwards the frame stays where it is, and program and holder see one page, until `up_unpin`. A resident page takes
/// no lock and no system call. The pin outlives its mapping and its space, but not its machine.
///
/// - `flags`: of `UP_PIN_...`. Without UP_PIN_WRITE the holder may not store to `pin->bytes`.
/// - `pin`: written only if the call succeeds.
///
/// Errors: -ENOMEM, -EINVAL, -EAGAIN with UP_PIN_FAST_ONLY, or -EFAULT if there is no mapping, or none that can be
/// pinned so. Threads: any.
UP_API int up_space_pin(up_space *space, uint64_t address, unsigned flags, up_pin *pin);

/// Ends a pin (`unpin_user_page`, `unpin_user_pages_dirty_lock`). `dirty` is not 0 if the holder stored to the page.
///
/// Afterwards `pin->bytes` is null, and the frame may be moved, reused or freed. Copies of the value are void.
///
/// Errors: -EINVAL if `pin->bytes` is null. Threads: any, one at a time for each pin. It need not be the thread that
/// pinned.
UP_API int up_unpin(up_pin *pin, int dirty);

/// The number of the pinned frame, in `*number`. Errors: -EINVAL. Threads: any.
UP_API int up_pin_frame_number(const up_pin *pin, uint64_t *number);

/// Pins of many pages, taken and ended together. A plain value, as `up_pin` is: it may be moved, and ends once.
typedef struct up_pins {
  /// How many pages are pinned. 0 after the end.
  uint64_t count;
  /// The library's own.
  uint64_t words[16];
} up_pins;

/// Pins the pages of a range in order, as many as can be pinned (`pin_user_pages`).
///
/// Returns how many: those up to the first that could not be pinned. With a positive result the caller ends them by
/// `up_unpin_range`. With 0, which is for `pages` = 0 and for UP_PIN_FAST_ONLY, there is nothing to end.
///
/// By the slot engine resident pages take no allocation. Pages that are held by counts need 8 bytes each from the heap.
///
/// Errors: as `up_space_pin` for the first page. Threads: any.
UP_API int64_t up_space_pin_range(up_space *space, uint64_t address, uint64_t pages, unsigned flags, up_pins *pins);

/// Ends all pins of a range (`unpin_user_pages`). Afterwards `pins->count` is 0. Otherwise as `up_unpin`.
///
/// Errors: -EINVAL if `pins->count` is 0. Threads: any, one at a time for each value.
UP_API int up_unpin_range(up_pins *pins, int dirty);

/// The 4096 bytes of the page at `index` of a range. Null if there is no such page. Good until the pins end.
///
/// Without UP_PIN_WRITE the holder may not store to them.
///
/// Threads: any.
UP_API void *up_pins_bytes(const up_pins *pins, uint64_t index);

/// The number of the frame of the page at `index`, in `*number`. Errors: -EINVAL, also if there is no such page.
/// Threads: any.
UP_API int up_pins_frame_number(const up_pins *pins, uint64_t index, uint64_t *number);

/// Describes the pages from `first` on by I/O vectors, for `pwritev(2)`, and with UP_PIN_WRITE for `preadv(2)`.
/// Adjacent frames are one vector.
///
/// Returns how many of the `capacity` vectors were written. `*next` is then the index of the first page that they leave
/// out, or `pins->count` if there is none.
///
/// Errors: -EINVAL. Threads: any.
UP_API int64_t up_pins_vectors(
    const up_pins *pins, uint64_t first, struct iovec *vectors, size_t capacity, uint64_t *next);

UP_END

#endif
