// Calls every member of every class of userpages.hpp. Each does something, and what it did is checked.
//
//     every_class FOLDER
//
// `.ci/c-face` builds it so that it counts the lines it runs, and looks for a member of the header that it has not run.
#include <exception>

#include "every_class.hpp"

using namespace userpages;

namespace {

void pin_and_pins() {
  machine machine(64);
  {
    space space(machine);
    space.map(base, 4, read_write);
    space.store<std::uint64_t>(base, 7);
    pin first = space.pin(base, UP_PIN_WRITE), none;
    MUST(first && !none && none.data() == nullptr && pin::size() == page);
    MUST(*first.as<std::uint64_t>() == 7 && first.data() == first.as<void>());
    std::uint64_t number = first.frame_number();
    pin moved(std::move(first));
    MUST(!first && moved.frame_number() == number && machine.frame(number).pins == 1);
    none = std::move(moved);
    MUST(!moved && none);
    // To assign ends what was held.
    none = space.pin(base + page);
    MUST(machine.frame(number).pins == 0 && none.frame_number() != number);
    MUST(error_of([&] { moved.frame_number(); }) == EINVAL);
    none.release(true);
    none.release();
    MUST(error_of([&] { space.pin(0); }) == EFAULT);

    pins many = space.pin_range(base, 3, UP_PIN_WRITE), no_pages;
    MUST(many.size() == 3 && !many.empty() && no_pages.empty() && no_pages.vectors().empty());
    MUST(*static_cast<std::uint64_t *>(many[0]) == 7 && many[3] == nullptr && many.frame_number(0) == number);
    std::size_t bytes = 0;
    for (const iovec &vector : many.vectors())
      bytes += vector.iov_len;
    MUST(bytes == 3 * page);
    pins others(std::move(many));
    MUST(many.empty() && others.size() == 3);
    no_pages = std::move(others);
    MUST(machine.frame(number).pins == 1);
    no_pages.release(true);
    MUST(no_pages.empty() && machine.frame(number).pins == 0);
    MUST(error_of([&] { no_pages.frame_number(0); }) == EINVAL);
    MUST(error_of([&] { machine.destroy(); }) == EBUSY);
    // What was moved from is no backing. It does not stand for anonymous memory.
    backing shown = backing::memory_file(machine, 1, 1), kept(std::move(shown));
    MUST(error_of([&] { space.map(base + 8 * page, 1, read_write, UP_MAP_SHARED, shown); }) == EINVAL);
  }
  machine.destroy();
}

void machines() {
  up_machine_options options{};
  options.ram_pages = 128;
  options.swap_pages = 128;
  machine machine(options);
  MUST(machine.get() != nullptr && machine.free_pages() == 128 && machine.resident_bytes() < 128 * page);
  {
    space space(machine, UP_ENGINE_REFERENCE);
    space.map(base, 8, read_write);
    for (std::uint64_t index = 0; index < 8; index++)
      space.store(base + index * page, index);
    MUST(machine.census().mapped_pages == 8 && machine.reclaim(4) >= 4 && machine.census().swapped_pages >= 4);
    // A wrong answer: the number that no memory has.
    int wrong = 0;
    machine.on_diagnostic(
        [](void *context, const up_diagnostic *found) { *static_cast<int *>(context) += found->reason == UP_WRONG_NUMBER; },
        &wrong);
    backing liar = backing::callbacks(machine, 1, [](std::uint64_t, bool, up_answer &answer) {
      answer.kind = UP_ANSWER_NUMBER;
      answer.number = 1u << 23;
      return 0;
    });
    space.map(base + 64 * page, 1, UP_READ, UP_MAP_MIXED, liar);
    MUST(error_of([&] { space.load<std::uint8_t>(base + 64 * page); }) == ENXIO && wrong >= 1);
    machine.on_diagnostic(nullptr, nullptr);
  }
  machine.flush();
  MUST(machine.census().used_pages == 0);
  MUST(error_of([] { userpages::machine none(0); }) == EINVAL);
  machine.destroy();
}

void spaces() {
  machine machine(2048);
  {
    space space(machine, UP_ENGINE_SLOT);
    space.map(base, 8, read_write);
    char text[3] = {};
    space.store(base + page - 1, "abc", 3);
    space.load(base + page - 1, text, 3);
    MUST(std::memcmp(text, "abc", 3) == 0 && space.load<std::uint16_t>(base + page) == 'b' + ('c' << 8));
    MUST(space.read_remotely(base + page - 1, text, 3) == 3 && space.write_remotely(base, "z", 1) == 1);
    MUST(space.load<char>(base) == 'z' && space.frame(base).maps == 1);
    MUST(space.entry(base).kind == UP_ENTRY_NORMAL && space.entry(base + 4 * page).kind == UP_ENTRY_NONE);
    MUST(space.mapping(base + page).address == base && space.mapping(base).pages == 8);
    auto child = space.fork();
    child.store<char>(base, 'y');
    MUST(space.load<char>(base) == 'z' && child.counters().copies >= 1);
    child.exit();
    MUST(error_of([&] { child.load<char>(base); }) == EFAULT);
    space.advise(base, 1, UP_ADVICE_DONT_NEED);
    MUST(space.load<char>(base) == 0);
    space.lock(base, 2);
    MUST(error_of([&] { space.advise(base, 1, UP_ADVICE_PAGE_OUT); }) == EINVAL);
    space.unlock(base, 2);
    space.protect(base, 1, UP_READ);
    MUST(error_of([&] { space.store<char>(base, 1); }) == EFAULT);
    space.remap(base + 4 * page, 2, base + 64 * page, 2);
    MUST(error_of([&] { space.load<char>(base + 4 * page); }) == EFAULT && space.load<char>(base + 64 * page) == 0);
    space.unmap(base + 64 * page, 2);
    MUST(error_of([&] { space.mapping(base + 64 * page); }) == EFAULT);

    backing file = backing::memory_file(machine, 1, 1);
    backing device = backing::device(machine, 2 * UP_PAGES_PER_HUGE);
    const std::uint64_t first = device.device_first_number();
    *static_cast<char *>(device.device_bytes(3)) = 'd';
    MUST(device.device_bytes(2 * UP_PAGES_PER_HUGE) == nullptr);
    up_frame frame;
    check(up_frame_allocate(machine.get(), &frame), "up_frame_allocate");
    *static_cast<char *>(frame.bytes) = 'f';
    space.map(base + 128 * page, 1, read_write, UP_MAP_SHARED, file);
    space.insert_page(base + 128 * page, frame.number);
    MUST(space.load<char>(base + 128 * page) == 'f');
    check(up_frame_put(&frame), "up_frame_put");
    const std::uint64_t wide = UINT64_C(1) << 30;
    space.map(wide, 2 * UP_PAGES_PER_HUGE, read_write, UP_MAP_SHARED | UP_MAP_PFN | UP_MAP_HUGE, device);
    space.insert_number(wide, first + 3);
    MUST(space.load<char>(wide) == 'd');
    const std::uint64_t aligned = (first + UP_PAGES_PER_HUGE - 1) / UP_PAGES_PER_HUGE * UP_PAGES_PER_HUGE;
    space.insert_huge_number(wide + UP_PAGES_PER_HUGE * page, aligned, true);
    space.store<char>(wide + UP_PAGES_PER_HUGE * page, 'h');
    MUST(*static_cast<char *>(device.device_bytes(aligned - first)) == 'h');
    space.map(base + 256 * page, 1, UP_READ, UP_MAP_SHARED | UP_MAP_MIXED, device);
    space.insert_mixed(base + 256 * page, first + 3);
    MUST(space.load<char>(base + 256 * page) == 'd');

    mirror mirror(space, base, 8, read_write);
    MUST(mirror.get() != nullptr && !mirror.holds(base + page));
    mirror.store(base + page, "mno", 3);
    mirror.load(base + page, text, 3);
    MUST(std::memcmp(text, "mno", 3) == 0 && mirror.holds(base + page));
    mirror.store<std::uint32_t>(base + page, 42);
    const std::uint64_t sequence = mirror.sequence();
    MUST(mirror.load<std::uint32_t>(base + page) == 42 && space.load<std::uint32_t>(base + page) == 42);
    space.seal(base + page, 1);
    MUST(error_of([&] { space.unmap(base + page, 1); }) == EPERM && mirror.sequence() == sequence);
    MUST(space.get() != nullptr && error_of([&] { userpages::mirror none(space, 1, 1); }) == EINVAL);
  }
  machine.destroy();
}

int run(const std::string &folder) {
  pin_and_pins();
  machines();
  files(folder);
  images(folder);
  callbacks();
  spaces();
  std::puts("every class of userpages.hpp did what it says");
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  try {
    return run(argv[1]);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
