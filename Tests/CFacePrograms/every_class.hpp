// What both halves of `every_class` use.
#ifndef EVERY_CLASS_HPP
#define EVERY_CLASS_HPP

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <userpages.hpp>

constexpr std::uint64_t page = UP_PAGE_SIZE;
constexpr std::uint64_t base = 0x10000000;
constexpr unsigned read_write = UP_READ | UP_WRITE;

#define MUST(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                             \
      std::exit(1);                                                                                                    \
    }                                                                                                                  \
  } while (0)

/// The errno value that `body` throws; 0 if it throws none.
template <typename Body> int error_of(Body body) {
  try {
    body();
    return 0;
  } catch (const std::system_error &error) {
    return error.code().value();
  }
}

// In `every_backing.cpp`.
void files(const std::string &folder);
void images(const std::string &folder);
void callbacks();

#endif
