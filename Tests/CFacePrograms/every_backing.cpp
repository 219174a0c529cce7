// The classes `backing` and `cache_handle` of userpages.hpp: see every_class.cpp.
#include <fcntl.h>
#include <unistd.h>

#include "every_class.hpp"

using namespace userpages;

void files(const std::string &folder) {
  machine machine(256);
  const std::string path = folder + "/cached";
  up_cache_options options{};
  options.limit = 16;
  {
    backing file = backing::cached_file(machine, path, options);
    MUST(error_of([&] { backing::cached_file(machine, path, options); }) == EBUSY);
    file.resize(8 * page);
    MUST(file.page_count() == 8 && file.length() == 8 * page);
    file.write(3 * page, "abc", 3);
    char text[3];
    MUST(file.read(3 * page, text, 3) == 3 && std::memcmp(text, "abc", 3) == 0);
    MUST(file.cache_counters().dirty_pages == 1);
    file.flush(3, 1);
    file.sync();
    MUST(file.cache_counters().dirty_pages == 0 && file.is_resident(3));
    {
      pin held = file.pin(3);
      MUST(std::memcmp(held.data(), "abc", 3) == 0);
    }
    MUST(file.evict(16) >= 1 && !file.is_resident(3));
    cache_handle user(file), other(file);
    MUST(user.get() != nullptr);
    user.sync();
    other.check_errors();
    // Another program's change.
    int descriptor = ::open(path.c_str(), O_RDWR);
    MUST(descriptor >= 0 && ::pwrite(descriptor, "xyz", 3, 3 * page) == 3 && ::close(descriptor) == 0);
    file.forget();
    MUST(file.read(3 * page, text, 3) == 3 && std::memcmp(text, "xyz", 3) == 0);
    file.punch_hole(3, 1);
    MUST(file.read(3 * page, text, 3) == 3 && text[0] == 0);
    MUST(error_of([&] { file.is_cached(0); }) == EINVAL);
  }
  machine.flush();
  {
    int descriptor = ::open(path.c_str(), O_RDWR);
    backing file = backing::cached_file(machine, descriptor, options);
    MUST(file.length() == 8 * page);
    backing memory = backing::memory_file(machine, 2, 4);
    memory.resize(3 * page);
    MUST(memory.page_count() == 3 && error_of([&] { memory.resize(5 * page); }) == EFBIG);
    MUST(error_of([&] { memory.sync(); }) == EINVAL && error_of([&] { cache_handle none(memory); }) == EINVAL);
  }
  // A store of callbacks, which fails when it is told to.
  struct store {
    bool fails = false;
    int releases = 0;
  } store;
  up_store_operations operations{};
  operations.context = &store;
  operations.length = 4 * page;
  operations.read = [](void *, std::uint64_t, const iovec *pages, std::size_t count) {
    for (std::size_t index = 0; index < count; index++)
      std::memset(pages[index].iov_base, 5, page);
    return 0;
  };
  operations.write = [](void *context, std::uint64_t, const iovec *, std::size_t) {
    return static_cast<struct store *>(context)->fails ? -ENOSPC : 0;
  };
  operations.resize = [](void *, std::uint64_t) { return 0; };
  operations.punch_hole = [](void *, std::uint64_t, std::uint64_t) { return 0; };
  operations.sync = [](void *) { return 0; };
  operations.release = [](void *context) { static_cast<struct store *>(context)->releases++; };
  {
    backing cache = backing::cached_store(machine, operations, options);
    cache_handle user(cache), other(cache);
    char byte = 0;
    MUST(cache.read(0, &byte, 1) == 1 && byte == 5);
    cache.write(0, "a", 1);
    store.fails = true;
    MUST(error_of([&] { user.sync(); }) == ENOSPC);
    store.fails = false;
    MUST(error_of([&] { other.check_errors(); }) == ENOSPC && error_of([&] { other.check_errors(); }) == 0);
    user.sync();
  }
  machine.flush();
  MUST(store.releases == 1);
  machine.destroy();
}

void images(const std::string &folder) {
  machine machine(64);
  {
    backing image = backing::image(machine, "abcdefgh", 8);
    MUST(!image.is_cached(0) && image.page_count() == 1);
    space space(machine);
    space.map(base, 1, UP_READ, UP_MAP_MIXED, image);
    image.move(0, true);
    MUST(image.is_cached(0) && space.load<std::uint8_t>(base) == 'a');
    image.move(0, false);
    space.load<std::uint8_t>(base);
    MUST(image.run_policy(1, 1) == 1 && image.is_cached(0));
    const std::string path = folder + "/image";
    std::FILE *file = std::fopen(path.c_str(), "w");
    MUST(file != nullptr && std::fwrite("xyz", 1, 3, file) == 3 && std::fclose(file) == 0);
    backing opened = backing::image(machine, path);
    char text[3];
    MUST(opened.read(0, text, 3) == 3 && std::memcmp(text, "xyz", 3) == 0);
    MUST(error_of([&] { backing::image(machine, folder + "/none"); }) == ENOENT);
  }
  // It ends by itself.
}

namespace {

/// A backing of the callbacks of C that writes its one frame back.
struct written {
  up_frame frame;
  int stores;
};

} // namespace

void callbacks() {
  machine machine(4096);
  {
    written written{};
    check(up_frame_allocate(machine.get(), &written.frame), "up_frame_allocate");
    up_backing_operations operations{};
    operations.page_count = 1;
    operations.context = &written;
    operations.fault = [](void *context, std::uint64_t, int, up_answer *answer) {
      answer->kind = UP_ANSWER_FRAME;
      return up_frame_retain(&static_cast<struct written *>(context)->frame, &answer->frame);
    };
    operations.will_store = [](void *context, std::uint64_t) {
      static_cast<struct written *>(context)->stores++;
      return 0;
    };
    backing backing = backing::callbacks(machine, operations);
    space space(machine);
    space.map(base, 1, read_write, UP_MAP_SHARED, backing);
    MUST(space.load<std::uint64_t>(base) == 0 && written.stores == 0);
    space.store<std::uint64_t>(base, 1);
    MUST(written.stores >= 1 && backing.take_accessed(0, 1)[0] == 1);
    backing.write_protect(0, 1);
    int before = written.stores;
    space.store<std::uint64_t>(base, 2);
    MUST(written.stores > before);
    backing.invalidate(0, 1);
    MUST(space.load<std::uint64_t>(base) == 2);
    backing.set_page_count(0);
    MUST(error_of([&] { space.load<std::uint64_t>(base); }) == ENXIO && backing.page_count() == 0);
    check(up_frame_put(&written.frame), "up_frame_put");

    // A handler that throws is a bus error, and its end is the backing's.
    auto token = std::make_shared<int>(0);
    {
      auto thrower = backing::callbacks(machine, 1, [token](std::uint64_t, bool, up_answer &) -> int { throw 1; });
      space.map(base, 1, UP_READ, UP_MAP_SHARED, thrower);
      MUST(error_of([&] { space.load<std::uint64_t>(base); }) == ENXIO && token.use_count() == 2);
    }
    space.unmap(base, 1);
    machine.flush();
    MUST(token.use_count() == 1);
  }
  machine.destroy();
}
