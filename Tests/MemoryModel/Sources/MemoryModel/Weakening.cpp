#include "Weakening.hpp"

#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace mm {

static const char *const orderNames[] = {"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};
static const char *const operationNames[] = {"load", "store", "update", "fence", "update", "section"};

bool Weakening::isActive = false;

Weakening &Weakening::shared() {
  static auto *weakening = new Weakening;
  return *weakening;
}

bool Weakening::add(const std::string &line, const std::string &order) {
  isActive = true;
  if (order == "none") {
    wanted[line] = {Order::relaxed, true};
    return true;
  }
  for (int i = 0; i < 6; i++)
    if (order == orderNames[i]) {
      wanted[line] = {static_cast<Order>(i), false};
      return true;
    }
  return false;
}

/// What is left of `order` if no more than `limit` is allowed.
static Order weaker(Order order, Order limit, Operation operation) {
  bool acquiring = acquires(order) && acquires(limit) && operation != Operation::store;
  bool releasing = releases(order) && releases(limit) && operation != Operation::load && operation != Operation::failure;
  if (isSequentiallyConsistent(order) && isSequentiallyConsistent(limit)) return order;
  return acquiring ? (releasing ? Order::acquireRelease : Order::acquire) : releasing ? Order::release : Order::relaxed;
}

Order Weakening::find(uintptr_t site, Operation operation, Order order) {
  auto [entry, isNew] = known.try_emplace(site);
  Site &found = entry->second;
  if (isNew) {
    found.line = line(site, operation);
    auto entry = wanted.find(found.line);
    if (entry == wanted.end()) entry = wanted.find(found.line + "/" + operationNames[static_cast<int>(operation)]);
    if (entry != wanted.end()) {
      found.isWeakened = true;
      found.isSkipped = entry->second.isSkipped;
      found.limit = entry->second.limit;
    }
  }
  if (isRecording && operation != Operation::failure && operation != Operation::section) found.accesses[{operation, order}]++;
  return found.isWeakened ? weaker(order, found.limit, operation) : order;
}

std::vector<std::string> Weakening::sites() {
  std::map<std::string, std::pair<bool, bool>> lines;
  for (const auto &[site, found] : known)
    for (const auto &[access, times] : found.accesses) {
      auto &[isShared, isOrdered] = lines[found.line + " " + operationNames[static_cast<int>(access.first)] + " " +
                                          orderNames[static_cast<int>(access.second)]];
      isShared = isShared || found.isShared;
      isOrdered = isOrdered || found.isOrdered;
    }
  std::vector<std::string> result;
  for (const auto &[line, noticed] : lines)
    result.push_back(line + (noticed.first ? "" : noticed.second ? " ordered" : " private"));
  return result;
}

void Weakening::startSymbolizer() {
  int question[2], answer[2];
  if (pipe(question) != 0 || pipe(answer) != 0) abort();
  if (fork() == 0) {
    dup2(question[0], 0);
    dup2(answer[1], 1);
    close(question[1]);
    close(answer[0]);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", getppid());
    execlp("llvm-symbolizer", "llvm-symbolizer", "--inlines", "--functions=none", "-e", path, nullptr);
    _exit(127);
  }
  close(question[0]);
  close(answer[1]);
  questions = fdopen(question[1], "w");
  answers = fdopen(answer[0], "r");
}

/// Whether a line is one of the wrappers that begin and end sections, not of a caller.
static bool isOfSections(const std::string &place) { return place.rfind("rcu.h:", 0) == 0 || place.rfind("RCU.swift:", 0) == 0; }

/// The innermost source line of the call before `site`. The compiler gives some instructions of an inlined function the line 0.
std::string Weakening::line(uintptr_t site, Operation operation) {
  static uintptr_t loadAddress = [] {
    uintptr_t result = 0;
    dl_iterate_phdr(
        [](dl_phdr_info *info, size_t, void *context) {
          *static_cast<uintptr_t *>(context) = info->dlpi_addr;
          return 1;
        },
        &result);
    return result;
  }();
  return askedLine(site - 1 - loadAddress, operation);
}

void Weakening::readMemory() {
  const char *path = getenv("MM_LINES");
  memory = path ? fopen(path, "a+") : nullptr;
  if (!memory) return;
  char key[32], line[256];
  while (fscanf(memory, "%31s %255s", key, line) == 2) remembered[key] = line;
}

std::string Weakening::askedLine(uintptr_t offset, Operation operation) {
  static const bool isReady = [this] { return readMemory(), true; }();
  (void)isReady;
  char key[32];
  snprintf(key, sizeof key, "%s%lx", operation == Operation::section ? "section" : "", offset);
  if (auto known = remembered.find(key); known != remembered.end()) return known->second;
  if (!questions) startSymbolizer();
  fprintf(questions, "%#lx\n", offset);
  fflush(questions);
  std::string result;
  char text[4096];
  // An answer is a line for each level of inlining, and an empty one.
  while (fgets(text, sizeof text, answers) && text[0] != '\n') {
    std::string place(text, strcspn(text, "\n"));
    place.erase(0, place.rfind('/') + 1);
    size_t column = place.rfind(':');
    if (column != std::string::npos) place.erase(column);
    bool hasLine = place.size() > 2 && place.compare(place.size() - 2, 2, ":0") != 0;
    if (operation == Operation::section && isOfSections(place)) continue;
    if (result.empty() && hasLine) result = place;
  }
  if (result.empty()) result = "?:0";
  if (memory) fprintf(memory, "%s %s\n", key, result.c_str());
  if (memory) fflush(memory);
  return result;
}

}  // namespace mm
