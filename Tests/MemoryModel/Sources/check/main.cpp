// Explores the `mm_test` that it is linked with. `Tests/MemoryModel/check` compiles and links.
#include <sys/personality.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include "../MemoryModel/Exploration.hpp"
#include "../MemoryModel/Weakening.hpp"

extern "C" void mm_test(void *);

namespace {

const char *const usage =
    "usage: check FILE [--bound K] [--random N [--seed S]] [--json] [--max N] [--interleavings]\n"
    "       [--brief] [--without-grace-periods] [--weaken FILE:LINE ORDER]... [--list-sites] [--replay SCHEDULE]\n";

/// Addresses are part of a schedule, so they must be the same in the next run.
void keepAddresses(char **arguments) {
  int current = personality(0xffffffff);
  if (current < 0 || (current & ADDR_NO_RANDOMIZE)) return;
  if (personality(static_cast<unsigned>(current) | ADDR_NO_RANDOMIZE) < 0) return;
  if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE)) return;
  execv("/proc/self/exe", arguments);
}

std::string outcomeLine(const mm::Exploration &exploration, const std::vector<long> &values) {
  std::string line;
  for (size_t i = 0; i < values.size(); i++) {
    if (values[i] == LONG_MIN) continue;
    if (!line.empty()) line += ' ';
    line += exploration.names[i] + '=' + std::to_string(values[i]);
  }
  return line;
}

std::string quoted(const std::string &text) {
  std::string result = "\"";
  for (char c : text) {
    char escape[8];
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      snprintf(escape, sizeof escape, "\\u%04x", c);
      result += escape;
    } else {
      result += c;
    }
  }
  return result + '"';
}

void printJSON(const mm::Exploration &exploration) {
  printf("{\"outcomes\":[");
  bool isFirst = true;
  for (const auto &[values, times] : exploration.outcomes) {
    printf("%s{\"values\":{", isFirst ? "" : ",");
    isFirst = false;
    bool isFirstValue = true;
    for (size_t i = 0; i < values.size(); i++) {
      if (values[i] == LONG_MIN) continue;
      printf("%s%s:%ld", isFirstValue ? "" : ",", quoted(exploration.names[i]).c_str(), values[i]);
      isFirstValue = false;
    }
    printf("},\"times\":%lu}", times);
  }
  printf("],\"executions\":%lu,\"blocked\":%lu,\"complete\":%s,\"failure\":%s,\"report\":%s}\n", exploration.executions,
         exploration.blocked, exploration.isComplete ? "true" : "false",
         exploration.failure.empty() ? "null" : quoted(exploration.failure).c_str(),
         exploration.report.empty() ? "null" : quoted(exploration.report).c_str());
}

void printText(const mm::Exploration &exploration, const mm::Options &options) {
  std::set<std::string> lines;
  for (const auto &[values, times] : exploration.outcomes) lines.insert(outcomeLine(exploration, values));
  lines.erase("");
  for (const std::string &line : lines) printf("%s\n", line.c_str());
  if (!exploration.failure.empty()) {
    printf("%s", exploration.report.c_str());
    return;
  }
  std::string how = exploration.isComplete ? "complete"
                    : options.isRandom     ? "random, seed " + std::to_string(options.seed)
                    : exploration.wasStopped ? "stopped"
                    : options.bound >= 0   ? "bound " + std::to_string(options.bound)
                    : !options.replay.empty() ? "replayed"
                                              : "stopped";
  printf("executions %lu, %s\n", exploration.executions, how.c_str());
  if (getenv("MM_COUNT_DUPLICATES"))
    printf("blocked %lu, abandoned %lu, duplicates %lu\n", exploration.blocked, exploration.abandoned, exploration.duplicates);
}

}  // namespace

int main(int count, char **arguments) {
  keepAddresses(arguments);
  mm::Options options;
  bool writesJSON = false, listsSites = false;
  for (int i = 1; i < count; i++) {
    std::string name = arguments[i];
    auto number = [&]() -> unsigned long {
      char *end = nullptr;
      unsigned long value = i + 1 < count ? strtoul(arguments[++i], &end, 10) : 0;
      if (!end || *end || end == arguments[i]) {
        fprintf(stderr, "%s needs a number\n%s", name.c_str(), usage);
        exit(2);
      }
      return value;
    };
    if (name == "--bound") {
      unsigned long bound = number();
      options.bound = bound == 0 ? -1 : static_cast<int>(bound);
    } else if (name == "--random") {
      options.isRandom = true;
      options.maximumExecutions = number();
    } else if (name == "--seed") {
      options.seed = number();
    } else if (name == "--max") {
      options.maximumExecutions = number();
    } else if (name == "--interleavings") {
      options.interleavings = true;
    } else if (name == "--brief") {
      options.isBrief = true;
    } else if (name == "--without-grace-periods") {
      mm::Execution::shared().gracePeriodsWait = false;
    } else if (name == "--weaken" && i + 2 < count) {
      std::string line = arguments[++i], order = arguments[++i];
      if (!mm::Weakening::shared().add(line, order)) {
        fprintf(stderr, "there is no order %s\n", order.c_str());
        return 2;
      }
    } else if (name == "--list-sites") {
      listsSites = true;
      mm::Weakening::shared().record();
    } else if (name == "--json") {
      writesJSON = true;
    } else if (name == "--replay" && i + 1 < count) {
      options.replay = arguments[++i];
    } else {
      fprintf(stderr, "%s", usage);
      return 2;
    }
  }
  mm::Exploration &exploration = mm::Exploration::last();
  exploration.run(mm_test, nullptr, options);
  if (!exploration.refusal.empty()) {
    fprintf(stderr, "%s\n", exploration.refusal.c_str());
    fflush(stderr);
    _exit(2);
  }
  if (listsSites)
    for (const std::string &site : mm::Weakening::shared().sites()) printf("%s\n", site.c_str());
  if (writesJSON)
    printJSON(exploration);
  else
    printText(exploration, options);
  fflush(stdout);
  // The program's threads still exist, parked. Nothing of them is to be torn down.
  _exit(exploration.failure.empty() ? 0 : 1);
}
