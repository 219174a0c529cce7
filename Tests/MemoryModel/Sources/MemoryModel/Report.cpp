#include "Report.hpp"

#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <set>
#include <sstream>

namespace mm {

namespace {

/// Asks `llvm-symbolizer` for the lines of many addresses at once. Without it, addresses stay numbers.
class Symbols {
public:
  Symbols() {
    dl_iterate_phdr(
        [](dl_phdr_info *info, size_t, void *context) {
          *static_cast<uintptr_t *>(context) = info->dlpi_addr;
          return 1;
        },
        &loadAddress);
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    program.assign(path, length > 0 ? static_cast<size_t>(length) : 0);
  }

  /// A call's return address is after the call. One less is in it.
  void addCode(uintptr_t site) { code.insert(site - 1); }
  void addData(uintptr_t address) { data.insert(address); }

  void resolve() {
    for (uintptr_t address : code) codeNames[address] = ask("CODE", address);
    for (uintptr_t address : data) dataNames[address] = ask("DATA", address);
  }

  /// `function file:line:column` for each level of inlining, innermost first.
  std::vector<std::string> lines(uintptr_t site) {
    std::vector<std::string> result;
    std::istringstream text(codeNames[site - 1]);
    for (std::string function, place; std::getline(text, function) && std::getline(text, place);)
      if (!function.empty()) result.push_back(function + " at " + withoutFolders(place));
    if (result.empty()) result.push_back(number(site));
    return result;
  }

  std::string variable(uintptr_t address) {
    std::istringstream text(dataNames[address]);
    std::string name;
    uintptr_t begin = 0, size = 0;
    if (std::getline(text, name) && text >> begin >> size && name != "??" && !name.empty()) {
      uintptr_t offset = address - loadAddress - begin;
      return offset == 0 ? name : name + "+" + std::to_string(offset);
    }
    return number(address);
  }

private:
  uintptr_t loadAddress = 0;
  std::string program;
  std::set<uintptr_t> code, data;
  std::map<uintptr_t, std::string> codeNames, dataNames;

  static std::string number(uintptr_t address) {
    char text[24];
    snprintf(text, sizeof text, "%#lx", address);
    return text;
  }

  static std::string withoutFolders(const std::string &place) {
    size_t slash = place.rfind('/');
    return slash == std::string::npos ? place : place.substr(slash + 1);
  }

  std::string ask(const char *kind, uintptr_t address) {
    char command[5000];
    snprintf(command, sizeof command, "llvm-symbolizer --inlines -C -e '%s' '%s %#lx' 2>/dev/null", program.c_str(), kind,
             address - loadAddress);
    std::string answer;
    if (FILE *pipe = popen(command, "r")) {
      char buffer[512];
      while (size_t count = fread(buffer, 1, sizeof buffer, pipe)) answer.append(buffer, count);
      pclose(pipe);
    }
    return answer;
  }
};

const char *name(Order order) {
  static const char *const names[] = {"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};
  return names[static_cast<int>(order)];
}

std::string decimal(Value value) { return std::to_string(static_cast<int64_t>(value)); }

class Writer {
public:
  explicit Writer(const Execution &execution) : execution(execution) {}

  std::string write() {
    collect();
    symbols.resolve();
    text << "failure: " << execution.failure.what << "\n";
    for (const Failure::Place &place : execution.failure.places) {
      text << "  " << place.role << (place.address ? " of " + symbols.variable(place.address) : "") << "\n";
      if (place.site != 0) writeStack(place.site, place.stack, "    ");
    }
    text << "events:\n";
    int number = 0;
    for (const Step &step : execution.steps) {
      number++;
      if (isOmitted(number)) {
        if (!isOmitted(number - 1)) text << "  ...\n";
        continue;
      }
      writeStep(number, execution.graph.event(step.id));
    }
    return text.str();
  }

private:
  const Execution &execution;
  Symbols symbols;
  std::ostringstream text;

  /// Of a very long execution the beginning and the end are enough.
  bool isOmitted(int number) const {
    return number > 100 && number + 200 < static_cast<int>(execution.steps.size());
  }

  void collect() {
    auto add = [&](uintptr_t site, uint32_t stack) {
      if (site != 0) symbols.addCode(site);
      for (uintptr_t call : execution.stacks[stack])
        if (call != 0) symbols.addCode(call);
    };
    for (const Failure::Place &place : execution.failure.places) {
      add(place.site, place.stack);
      if (place.address) symbols.addData(place.address);
    }
    for (const Step &step : execution.steps) {
      const Event &event = execution.graph.event(step.id);
      if (event.site != 0) symbols.addCode(event.site);
      if (event.location >= 0) symbols.addData(execution.graph.locations[event.location].name.address);
    }
  }

  void writeStack(uintptr_t site, uint32_t stack, const char *indent) {
    std::vector<uintptr_t> calls = execution.stacks[stack];
    if (calls.empty()) calls.push_back(site);
    for (uintptr_t call : calls)
      for (const std::string &line : symbols.lines(call))
        if (line.compare(0, 4, "mm::") != 0) text << indent << line << "\n";
  }

  std::string locationName(const Event &event) {
    const LocationName &name = execution.graph.locations[event.location].name;
    switch (name.space) {
    case Space::memory: return symbols.variable(name.address);
    case Space::lock: return "lock " + symbols.variable(name.address);
    case Space::waiters: return "waiters of " + symbols.variable(name.address);
    case Space::rcu: return "grace periods";
    }
    return "?";
  }

  void writeStep(int number, const Event &event) {
    static const char *const kinds[] = {"reads", "writes", "fence", "begins", "ends", "spawns", "joins", "ends section",
                                        "ends grace period"};
    char head[64];
    snprintf(head, sizeof head, "%4d  thread %d  ", number, event.id.thread);
    text << head << kinds[static_cast<int>(event.kind)];
    if (event.isAccess()) {
      text << " " << locationName(event) << " = " << decimal(event.value) << " (" << name(event.effectiveOrder());
      if (event.exclusive) text << ", update";
      text << ")";
      if (event.kind == Kind::read)
        text << (event.source.isInitial() ? " from the initialisation"
                                          : " from step " + std::to_string(stepOf(event.source)));
    } else if (event.kind == Kind::fence) {
      text << " (" << name(event.order) << ")";
    } else if (event.kind == Kind::join) {
      text << " thread " << event.source.thread;
    }
    if (event.site != 0) text << "  " << symbols.lines(event.site).front();
    text << "\n";
  }

  int stepOf(EventId id) {
    for (size_t i = 0; i < execution.steps.size(); i++)
      if (execution.steps[i].id == id) return static_cast<int>(i) + 1;
    return 0;
  }
};

}  // namespace

std::string report(const Execution &execution) { return Writer(execution).write(); }

}  // namespace mm
