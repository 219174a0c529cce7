#include "Schedule.hpp"

#include <sstream>

namespace mm {

static std::string text(EventId id) {
  return id.isInitial() ? "-" : std::to_string(id.thread) + "." + std::to_string(id.index);
}

static EventId parse(const std::string &text) {
  int thread = -1, index = 0;
  if (sscanf(text.c_str(), "%d.%d", &thread, &index) != 2) return {};
  return {static_cast<int16_t>(thread), static_cast<uint16_t>(index)};
}

/// The program's name, of many in one executable or of a file.
static std::string programName() {
  const char *name = getenv("MM_PROGRAM");
  return name ? name : "";
}

std::string namesAnotherProgram(const std::string &schedule) {
  std::istringstream words(schedule);
  std::string word, name = programName();
  if (!(words >> word) || word[0] != '@' || name.empty() || word.substr(1) == name) return "";
  return "the schedule is one of " + word.substr(1) + ", and the program is " + name;
}

std::string schedule(const Execution &execution) {
  std::string result;
  if (std::string name = programName(); !name.empty()) result = '@' + name + ' ';
  for (auto [address, size] : execution.visibility.all()) {
    char word[48];
    snprintf(word, sizeof word, "=%lx:%zu ", address, size);
    result += word;
  }
  // Where the first thread alone starts others, they are numbered as they are born.
  bool isNested = false;
  for (const auto &[birth, number] : execution.numbers) isNested = isNested || birth.first > 0;
  for (const auto &[birth, number] : execution.numbers)
    if (isNested)
      result += '^' + std::to_string(birth.first) + ':' + std::to_string(birth.second) + ':' + std::to_string(number) + ' ';
  for (const Step &step : execution.steps) {
    if (&step != &execution.steps.front()) result += ' ';
    result += std::to_string(step.id.thread);
    const Event &event = execution.graph.event(step.id);
    if (event.kind == Kind::read) result += '<' + text(step.source);
    if (event.kind == Kind::write) result += '>' + text(step.after);
  }
  return result;
}

void readNames(const std::string &line, Execution &execution) {
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    unsigned long address = 0;
    size_t size = 0;
    if (sscanf(word.c_str(), "=%lx:%zu", &address, &size) == 2) execution.visibility.add(address, size);
    int parent = 0, birth = 0, number = 0;
    if (sscanf(word.c_str(), "^%d:%d:%d", &parent, &birth, &number) == 3 && number > 0)
      execution.numbers[{parent, birth}] = number;
  }
}

ScheduledReplay::ScheduledReplay(const std::string &line) {
  std::istringstream words(line);
  std::vector<uint16_t> counts(maximumThreads);
  for (std::string word; words >> word;) {
    if (word[0] == '=' || word[0] == '@' || word[0] == '^') continue;
    size_t mark = word.find_first_of("<>");
    int thread = atoi(word.c_str());
    if (thread < 0 || thread >= maximumThreads) continue;
    Step step;
    step.id = {static_cast<int16_t>(thread), ++counts[thread]};
    if (mark != std::string::npos) (word[mark] == '<' ? step.source : step.after) = parse(word.substr(mark + 1));
    steps.push_back(step);
  }
}

int ScheduledReplay::forcedThread(Execution &execution) {
  size_t made = execution.steps.size();
  if (made >= steps.size()) return -1;
  const ModelThread &next = execution.thread(steps[made].id.thread);
  hasLeft = hasLeft || !next.isLive || next.hasFinished;
  return hasLeft ? -1 : steps[made].id.thread;
}

bool ScheduledReplay::hasFollowed(const Execution &execution) const {
  return !hasLeft && execution.steps.size() >= steps.size();
}

int ScheduledReplay::nextThread(Execution &, const std::vector<int> &enabled, int running) {
  if (hasLeft) return -1;
  // The failure came from what a thread did after its last event.
  for (int number : enabled)
    if (number == running) return number;
  return enabled.front();
}

int ScheduledReplay::chooseSource(Execution &execution, const Event &, int, const std::vector<EventId> &sources) {
  size_t made = execution.steps.size();
  for (size_t i = 0; made < steps.size() && i < sources.size(); i++)
    if (sources[i] == steps[made].source) return static_cast<int>(i);
  return made < steps.size() ? -1 : static_cast<int>(sources.size()) - 1;
}

int ScheduledReplay::choosePlace(Execution &execution, EventId write, const std::vector<int> &places) {
  size_t made = execution.steps.size();
  int location = execution.graph.event(write).location;
  for (size_t i = 0; made < steps.size() && i < places.size(); i++)
    if (execution.graph.writeAt(places[i], location) == steps[made].after) return static_cast<int>(i);
  return made < steps.size() || places.empty() ? -1 : static_cast<int>(places.size()) - 1;
}

}  // namespace mm
