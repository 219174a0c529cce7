// A consistent snapshot of memory that is written all the time: a child of the space, as a database forks itself for
// long queries.
//
//     c++ -std=c++17 snapshot.cpp $(pkg-config --cflags --libs userpages) -pthread -o snapshot && ./snapshot
#include <atomic>
#include <cstdio>
#include <exception>
#include <mutex>
#include <thread>

#include <userpages.hpp>

namespace {

constexpr std::uint64_t base = 0x10000000;
constexpr std::uint64_t accounts = 64;
constexpr std::uint64_t balance = 100;

/// An account a page.
std::uint64_t address_of(std::uint64_t account) { return base + account * UP_PAGE_SIZE; }

std::uint64_t total(const userpages::space &space) {
  std::uint64_t sum = 0;
  for (std::uint64_t account = 0; account < accounts; account++)
    sum += space.load<std::uint64_t>(address_of(account));
  return sum;
}

int run() {
  userpages::machine machine(1024);
  int wrong = 0;
  {
    userpages::space space(machine, UP_ENGINE_SLOT);
    space.map(base, accounts, UP_READ | UP_WRITE);
    for (std::uint64_t account = 0; account < accounts; account++)
      space.store(address_of(account), balance);

    // Transfers leave the sum as it is, but not between their two stores: the mutex keeps snapshots out there.
    std::mutex transfer;
    std::atomic<bool> stops{false};
    std::atomic<std::uint64_t> transfers{0};
    std::thread writer([&] {
      for (std::uint64_t turn = 0; !stops; turn++) {
        std::lock_guard lock(transfer);
        // Pins end with their scopes, also if an exception is thrown.
        userpages::pin from = space.pin(address_of(turn % accounts), UP_PIN_WRITE);
        userpages::pin to = space.pin(address_of(turn * 7 % accounts), UP_PIN_WRITE);
        *from.as<std::uint64_t>() -= 1;
        *to.as<std::uint64_t>() += 1;
        transfers++;
      }
    });
    for (int query = 0; query < 20; query++) {
      // So that each snapshot is one of other memory.
      for (std::uint64_t before = transfers; transfers < before + 100;)
        std::this_thread::yield();
      std::unique_lock lock(transfer);
      userpages::space snapshot = space.fork();
      lock.unlock();
      // The writer goes on meanwhile. What it stores to is copied, so the snapshot stays as it was.
      if (total(snapshot) != accounts * balance)
        wrong++;
    }
    stops = true;
    writer.join();
    std::printf("20 snapshots beside %llu transfers, %d of them wrong\n",
                static_cast<unsigned long long>(transfers.load()), wrong);
  }
  machine.destroy();
  return wrong == 0 ? 0 : 1;
}

} // namespace

int main() {
  try {
    return run();
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
