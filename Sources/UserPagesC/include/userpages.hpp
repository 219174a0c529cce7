// The C++ face of userpages.h, in this header alone (C++17): handles and pins that end by themselves, errors as
// exceptions.
//
// Everything here is a thin cover of the function of the same name in C, where its comment stands. A pin is still a
// plain value: nothing is allocated for it. Objects are moved and not copied. A program without exceptions uses the
// functions of C.
#ifndef USERPAGES_HPP
#define USERPAGES_HPP

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/uio.h>

#include "userpages.h"

namespace userpages {

/// Throws `std::system_error` with the errno value if `code` is a negated one. Returns `code`.
template <typename Integer> inline Integer check(Integer code, const char *what) {
  if (code < 0)
    throw std::system_error(static_cast<int>(-code), std::generic_category(), what);
  return code;
}

/// One pinned page, which is unpinned at the end of its life, or by `release`.
class pin {
public:
  /// No page.
  pin() noexcept = default;
  /// Takes over a pin of C.
  explicit pin(const up_pin &value) noexcept : value_(value) {}
  pin(pin &&other) noexcept : value_(std::exchange(other.value_, up_pin{})) {}
  pin &operator=(pin &&other) noexcept {
    if (this != &other) {
      release();
      value_ = std::exchange(other.value_, up_pin{});
    }
    return *this;
  }
  ~pin() { release(); }

  /// Whether a page is pinned.
  explicit operator bool() const noexcept { return value_.bytes != nullptr; }

  /// The page's 4096 bytes, good until the pin ends. Null if there is none.
  void *data() const noexcept { return value_.bytes; }
  /// The same as a pointer to something that lies at the start of the page.
  template <typename T> T *as() const noexcept { return static_cast<T *>(value_.bytes); }
  static constexpr std::size_t size() noexcept { return UP_PAGE_SIZE; }

  /// The frame's number.
  std::uint64_t frame_number() const {
    std::uint64_t number = 0;
    check(up_pin_frame_number(&value_, &number), "up_pin_frame_number");
    return number;
  }

  /// Ends the pin, if there is one. `dirty`: the holder stored to the page.
  void release(bool dirty = false) noexcept {
    if (value_.bytes != nullptr)
      up_unpin(&value_, dirty);
  }

private:
  up_pin value_{};
};

/// Pins of many pages, which end together.
class pins {
public:
  /// No pages.
  pins() noexcept = default;
  /// Takes over the pins of a range of C.
  explicit pins(const up_pins &value) noexcept : value_(value) {}
  pins(pins &&other) noexcept : value_(std::exchange(other.value_, up_pins{})) {}
  pins &operator=(pins &&other) noexcept {
    if (this != &other) {
      release();
      value_ = std::exchange(other.value_, up_pins{});
    }
    return *this;
  }
  ~pins() { release(); }

  /// How many pages are pinned.
  std::size_t size() const noexcept { return static_cast<std::size_t>(value_.count); }
  bool empty() const noexcept { return value_.count == 0; }

  /// The 4096 bytes of a page. Null if there is no such page.
  void *operator[](std::size_t index) const noexcept { return up_pins_bytes(&value_, index); }

  /// The number of the frame of a page.
  std::uint64_t frame_number(std::size_t index) const {
    std::uint64_t number = 0;
    check(up_pins_frame_number(&value_, index, &number), "up_pins_frame_number");
    return number;
  }

  /// I/O vectors over all pages, for `preadv(2)`.
  std::vector<iovec> vectors() const {
    std::vector<iovec> vectors(size());
    if (vectors.empty())
      return vectors;
    std::uint64_t next = 0;
    vectors.resize(static_cast<std::size_t>(
        check(up_pins_vectors(&value_, 0, vectors.data(), vectors.size(), &next), "up_pins_vectors")));
    return vectors;
  }

  /// Ends the pins, if there are any.
  void release(bool dirty = false) noexcept {
    if (value_.count != 0)
      up_unpin_range(&value_, dirty);
  }

private:
  up_pins value_{};
};

namespace detail {
struct ends {
  void operator()(up_machine *machine) const noexcept { up_machine_destroy(machine); }
  void operator()(up_space *space) const noexcept { up_space_destroy(space); }
  void operator()(up_backing *backing) const noexcept { up_backing_destroy(backing); }
  void operator()(up_mirror *mirror) const noexcept { up_mirror_destroy(mirror); }
  void operator()(up_cache_handle *handle) const noexcept { up_cache_handle_destroy(handle); }
};
template <typename Handle> using owned = std::unique_ptr<Handle, ends>;

/// An integer as functions of C take it, and back.
template <typename T> struct word {
  static_assert(std::is_integral_v<T> || std::is_enum_v<T>, "another type goes by its bytes");
  static std::uint64_t from(T value) noexcept { return static_cast<std::uint64_t>(value); }
  static T to(std::uint64_t value) noexcept { return static_cast<T>(value); }
};
} // namespace detail

/// A machine. It is declared before what is made of it, so that it ends after it.
class machine {
public:
  explicit machine(const up_machine_options &options) {
    up_machine *made = nullptr;
    check(up_machine_create(&options, &made), "up_machine_create");
    handle_.reset(made);
  }
  explicit machine(std::uint64_t ram_pages) : machine(options(ram_pages)) {}

  up_machine *get() const noexcept { return handle_.get(); }

  /// Ends the machine now, and throws if pins or handles are left. The end of the object's life cannot report that: the
  /// machine then stays until the process ends.
  void destroy() {
    check(up_machine_destroy(handle_.get()), "up_machine_destroy");
    handle_.release();
  }

  void flush() { check(up_machine_flush(get()), "up_machine_flush"); }
  std::uint64_t reclaim(std::uint64_t pages) {
    return static_cast<std::uint64_t>(check(up_machine_reclaim(get(), pages), "up_machine_reclaim"));
  }
  std::uint64_t free_pages() const {
    return static_cast<std::uint64_t>(check(up_machine_free_pages(get()), "up_machine_free_pages"));
  }
  std::uint64_t resident_bytes() const {
    return static_cast<std::uint64_t>(check(up_machine_resident_bytes(get()), "up_machine_resident_bytes"));
  }
  /// `handler` throws nothing.
  void on_diagnostic(void (*handler)(void *context, const up_diagnostic *diagnostic), void *context) {
    check(up_machine_on_diagnostic(get(), handler, context), "up_machine_on_diagnostic");
  }
  up_frame_state frame(std::uint64_t number) const {
    up_frame_state state{};
    check(up_machine_frame(get(), number, &state), "up_machine_frame");
    return state;
  }
  up_census census() const {
    up_census census{};
    check(up_machine_census(get(), &census), "up_machine_census");
    return census;
  }

private:
  static up_machine_options options(std::uint64_t ram_pages) {
    up_machine_options options{};
    options.ram_pages = ram_pages;
    return options;
  }
  detail::owned<up_machine> handle_;
};

/// What mappings show.
class backing {
public:
  /// Answers a fault, as `up_backing_operations.fault` does. An exception is a bus error for the program.
  using fault_handler = std::function<int(std::uint64_t page, bool write, up_answer &answer)>;

  static backing cached_file(const machine &machine, const std::string &path, const up_cache_options &options) {
    return make("up_cache_open", [&](up_backing **made) {
      return up_cache_open(machine.get(), path.c_str(), &options, made);
    });
  }
  static backing cached_file(const machine &machine, int descriptor, const up_cache_options &options) {
    return make("up_cache_open_descriptor", [&](up_backing **made) {
      return up_cache_open_descriptor(machine.get(), descriptor, &options, made);
    });
  }
  static backing cached_store(
      const machine &machine, const up_store_operations &operations, const up_cache_options &options) {
    return make("up_cache_create", [&](up_backing **made) {
      return up_cache_create(machine.get(), &operations, &options, made);
    });
  }
  static backing memory_file(const machine &machine, std::uint64_t pages, std::uint64_t maximum_pages) {
    return make("up_memory_file_create", [&](up_backing **made) {
      return up_memory_file_create(machine.get(), pages, maximum_pages, made);
    });
  }
  static backing device(const machine &machine, std::uint64_t pages) {
    return make("up_device_create", [&](up_backing **made) { return up_device_create(machine.get(), pages, made); });
  }
  static backing image(const machine &machine, const std::string &path) {
    return make("up_image_open", [&](up_backing **made) { return up_image_open(machine.get(), path.c_str(), made); });
  }
  static backing image(const machine &machine, const void *bytes, std::size_t count) {
    return make("up_image_create", [&](up_backing **made) {
      return up_image_create(machine.get(), bytes, count, made);
    });
  }
  /// The callbacks of C, for what a handler of faults alone cannot say.
  static backing callbacks(const machine &machine, const up_backing_operations &operations) {
    return make("up_backing_create", [&](up_backing **made) {
      return up_backing_create(machine.get(), &operations, made);
    });
  }
  static backing callbacks(const machine &machine, std::uint64_t pages, fault_handler handler) {
    auto owned = std::make_unique<fault_handler>(std::move(handler));
    up_backing_operations operations{};
    operations.page_count = pages;
    operations.context = owned.get();
    operations.fault = [](void *context, std::uint64_t page, int write, up_answer *answer) noexcept -> int {
      try {
        return (*static_cast<fault_handler *>(context))(page, write != 0, *answer);
      } catch (...) {
        return -EIO;
      }
    };
    operations.release = [](void *context) noexcept { delete static_cast<fault_handler *>(context); };
    backing result = make("up_backing_create", [&](up_backing **made) {
      return up_backing_create(machine.get(), &operations, made);
    });
    // The backing's `release` owns it now.
    owned.release();
    return result;
  }

  up_backing *get() const noexcept { return handle_.get(); }

  std::uint64_t page_count() const {
    return static_cast<std::uint64_t>(check(up_backing_page_count(get()), "up_backing_page_count"));
  }
  std::uint64_t length() const {
    std::uint64_t length = 0;
    check(up_file_length(get(), &length), "up_file_length");
    return length;
  }
  std::size_t read(std::uint64_t offset, void *bytes, std::size_t count) const {
    return static_cast<std::size_t>(check(up_file_read(get(), offset, bytes, count), "up_file_read"));
  }
  void write(std::uint64_t offset, const void *bytes, std::size_t count) {
    check(up_file_write(get(), offset, bytes, count), "up_file_write");
  }
  void resize(std::uint64_t length) { check(up_file_resize(get(), length), "up_file_resize"); }
  void punch_hole(std::uint64_t first_page, std::uint64_t pages) {
    check(up_file_punch_hole(get(), first_page, pages), "up_file_punch_hole");
  }
  void sync() { check(up_cache_sync(get()), "up_cache_sync"); }
  void flush(std::uint64_t first_page, std::uint64_t pages) {
    check(up_cache_flush(get(), first_page, pages), "up_cache_flush");
  }
  std::uint64_t evict(std::uint64_t pages) {
    return static_cast<std::uint64_t>(check(up_cache_evict(get(), pages), "up_cache_evict"));
  }
  userpages::pin pin(std::uint64_t page) {
    up_pin value;
    check(up_cache_pin(get(), page, &value), "up_cache_pin");
    return userpages::pin(value);
  }
  bool is_resident(std::uint64_t page) const {
    return check(up_cache_is_resident(get(), page), "up_cache_is_resident") != 0;
  }
  void forget() { check(up_cache_invalidate(get()), "up_cache_invalidate"); }
  up_cache_counters cache_counters() const {
    up_cache_counters counters{};
    check(up_cache_count(get(), &counters), "up_cache_count");
    return counters;
  }
  void move(std::uint64_t page, bool to_cache) { check(up_image_move(get(), page, to_cache), "up_image_move"); }
  bool is_cached(std::uint64_t page) const {
    return check(up_image_is_cached(get(), page), "up_image_is_cached") != 0;
  }
  std::uint64_t run_policy(unsigned hot_after, unsigned cold_after) {
    return static_cast<std::uint64_t>(
        check(up_image_run_policy(get(), hot_after, cold_after), "up_image_run_policy"));
  }

  void invalidate(std::uint64_t first_page, std::uint64_t pages) {
    check(up_backing_invalidate(get(), first_page, pages), "up_backing_invalidate");
  }
  void write_protect(std::uint64_t first_page, std::uint64_t pages) {
    check(up_backing_write_protect(get(), first_page, pages), "up_backing_write_protect");
  }
  std::vector<unsigned char> take_accessed(std::uint64_t first_page, std::uint64_t pages) {
    std::vector<unsigned char> accessed(pages);
    check(up_backing_take_accessed(get(), first_page, pages, accessed.data()), "up_backing_take_accessed");
    return accessed;
  }
  void set_page_count(std::uint64_t pages) { check(up_backing_resize(get(), pages), "up_backing_resize"); }

  void *device_bytes(std::uint64_t page) const noexcept { return up_device_bytes(get(), page); }
  std::uint64_t device_first_number() const {
    std::uint64_t number = 0;
    check(up_device_first_number(get(), &number), "up_device_first_number");
    return number;
  }

private:
  template <typename Make> static backing make(const char *what, Make make) {
    up_backing *made = nullptr;
    check(make(&made), what);
    backing result;
    result.handle_.reset(made);
    return result;
  }
  backing() = default;
  detail::owned<up_backing> handle_;
};

/// One user's view of the errors of a page cache: each gets every error once.
class cache_handle {
public:
  explicit cache_handle(const backing &cache) {
    up_cache_handle *made = nullptr;
    check(up_cache_handle_create(cache.get(), &made), "up_cache_handle_create");
    handle_.reset(made);
  }

  up_cache_handle *get() const noexcept { return handle_.get(); }

  void sync() { check(up_cache_handle_sync(get()), "up_cache_handle_sync"); }
  /// Throws the error since the last report, and waits for nothing.
  void check_errors() { check(up_cache_handle_check(get()), "up_cache_handle_check"); }

private:
  detail::owned<up_cache_handle> handle_;
};

/// An address space.
class space {
public:
  explicit space(const machine &machine, int engine = UP_ENGINE_SLOT) {
    up_space *made = nullptr;
    check(up_space_create(machine.get(), engine, &made), "up_space_create");
    handle_.reset(made);
  }

  up_space *get() const noexcept { return handle_.get(); }

  space fork() {
    up_space *made = nullptr;
    check(up_space_fork(get(), &made), "up_space_fork");
    return space(made);
  }
  void exit() { check(up_space_exit(get()), "up_space_exit"); }

  /// Maps anonymous memory.
  void map(std::uint64_t address, std::uint64_t pages, unsigned protection, unsigned flags = 0) {
    check(up_space_map(get(), address, pages, protection, flags, nullptr, 0), "up_space_map");
  }
  void map(
      std::uint64_t address, std::uint64_t pages, unsigned protection, unsigned flags, const backing &shown,
      std::uint64_t first_page = 0) {
    // Without a backing it would be anonymous memory.
    if (shown.get() == nullptr) check(-EINVAL, "up_space_map");
    check(up_space_map(get(), address, pages, protection, flags, shown.get(), first_page), "up_space_map");
  }
  void unmap(std::uint64_t address, std::uint64_t pages) {
    check(up_space_unmap(get(), address, pages), "up_space_unmap");
  }
  void protect(std::uint64_t address, std::uint64_t pages, unsigned protection) {
    check(up_space_protect(get(), address, pages, protection), "up_space_protect");
  }
  void remap(
      std::uint64_t address, std::uint64_t pages, std::uint64_t new_address, std::uint64_t new_pages,
      unsigned flags = 0) {
    check(up_space_remap(get(), address, pages, new_address, new_pages, flags), "up_space_remap");
  }
  void advise(std::uint64_t address, std::uint64_t pages, int advice) {
    check(up_space_advise(get(), address, pages, advice), "up_space_advise");
  }
  void lock(std::uint64_t address, std::uint64_t pages) {
    check(up_space_lock(get(), address, pages), "up_space_lock");
  }
  void unlock(std::uint64_t address, std::uint64_t pages) {
    check(up_space_unlock(get(), address, pages), "up_space_unlock");
  }
  void seal(std::uint64_t address, std::uint64_t pages) {
    check(up_space_seal(get(), address, pages), "up_space_seal");
  }

  std::size_t read_remotely(std::uint64_t address, void *bytes, std::size_t count) {
    return static_cast<std::size_t>(
        check(up_space_read_remotely(get(), address, bytes, count), "up_space_read_remotely"));
  }
  std::size_t write_remotely(std::uint64_t address, const void *bytes, std::size_t count) {
    return static_cast<std::size_t>(
        check(up_space_write_remotely(get(), address, bytes, count), "up_space_write_remotely"));
  }

  void insert_page(std::uint64_t address, std::uint64_t number) {
    check(up_space_insert_page(get(), address, number), "up_space_insert_page");
  }
  void insert_number(std::uint64_t address, std::uint64_t number, bool writable = false) {
    check(up_space_insert_number(get(), address, number, writable), "up_space_insert_number");
  }
  void insert_mixed(std::uint64_t address, std::uint64_t number, bool writable = false) {
    check(up_space_insert_mixed(get(), address, number, writable), "up_space_insert_mixed");
  }
  void insert_huge_number(std::uint64_t address, std::uint64_t number, bool writable = false) {
    check(up_space_insert_huge_number(get(), address, number, writable), "up_space_insert_huge_number");
  }

  up_mapping mapping(std::uint64_t address) const {
    up_mapping mapping{};
    check(up_space_mapping(get(), address, &mapping), "up_space_mapping");
    return mapping;
  }
  up_entry entry(std::uint64_t address) const {
    up_entry entry{};
    check(up_space_entry(get(), address, &entry), "up_space_entry");
    return entry;
  }
  up_frame_state frame(std::uint64_t address) const {
    up_frame_state state{};
    check(up_space_frame(get(), address, &state), "up_space_frame");
    return state;
  }

  void load(std::uint64_t address, void *bytes, std::size_t count) const {
    check(up_space_load(get(), address, bytes, count), "up_space_load");
  }
  void store(std::uint64_t address, const void *bytes, std::size_t count) {
    check(up_space_store(get(), address, bytes, count), "up_space_store");
  }
  /// Loads an integer of 1, 2, 4 or 8 bytes.
  template <typename T> T load(std::uint64_t address) const {
    std::uint64_t value = 0;
    check(up_space_load_word(get(), address, sizeof(T), &value), "up_space_load_word");
    return detail::word<T>::to(value);
  }
  /// Stores an integer of 1, 2, 4 or 8 bytes.
  template <typename T> void store(std::uint64_t address, T value) {
    check(up_space_store_word(get(), address, sizeof(T), detail::word<T>::from(value)), "up_space_store_word");
  }

  userpages::pin pin(std::uint64_t address, unsigned flags = 0) {
    up_pin value;
    check(up_space_pin(get(), address, flags, &value), "up_space_pin");
    return userpages::pin(value);
  }
  /// Pins as many pages as can be pinned, in order.
  userpages::pins pin_range(std::uint64_t address, std::uint64_t pages, unsigned flags = 0) {
    up_pins value;
    check(up_space_pin_range(get(), address, pages, flags, &value), "up_space_pin_range");
    return userpages::pins(value);
  }

  up_space_counters counters() const {
    up_space_counters counters{};
    check(up_space_count(get(), &counters), "up_space_count");
    return counters;
  }

private:
  explicit space(up_space *handle) : handle_(handle) {}
  detail::owned<up_space> handle_;
};

/// Translations of a range, without a pin.
class mirror {
public:
  mirror(const space &space, std::uint64_t address, std::uint64_t pages, unsigned access = UP_READ) {
    up_mirror *made = nullptr;
    check(up_mirror_create(space.get(), address, pages, access, &made), "up_mirror_create");
    handle_.reset(made);
  }

  up_mirror *get() const noexcept { return handle_.get(); }

  void load(std::uint64_t address, void *bytes, std::size_t count) const {
    check(up_mirror_load(get(), address, bytes, count), "up_mirror_load");
  }
  void store(std::uint64_t address, const void *bytes, std::size_t count) {
    check(up_mirror_store(get(), address, bytes, count), "up_mirror_store");
  }
  template <typename T> T load(std::uint64_t address) const {
    std::uint64_t value = 0;
    check(up_mirror_load_word(get(), address, sizeof(T), &value), "up_mirror_load_word");
    return detail::word<T>::to(value);
  }
  template <typename T> void store(std::uint64_t address, T value) {
    check(up_mirror_store_word(get(), address, sizeof(T), detail::word<T>::from(value)), "up_mirror_store_word");
  }
  /// Whether there is a translation of the page of `address` that may still be read.
  bool holds(std::uint64_t address) const { return check(up_mirror_holds(get(), address), "up_mirror_holds") != 0; }
  std::uint64_t sequence() const {
    std::uint64_t sequence = 0;
    check(up_mirror_sequence(get(), &sequence), "up_mirror_sequence");
    return sequence;
  }

private:
  detail::owned<up_mirror> handle_;
};

} // namespace userpages

#endif
