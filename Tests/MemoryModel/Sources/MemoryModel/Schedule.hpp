// An execution as a line of text, from which it can be made again.
#pragma once

#include <string>
#include <vector>

#include "Execution.hpp"
#include "Strategy.hpp"

namespace mm {

/// A word for each event in the order of the execution: the thread; for a read `<` and its write; for a write `>` and the one
/// that it follows in modification order. An event is `thread.number`, the initialisation `-`. Before them, `=address:size` for
/// each shared location; `^parent:birth:number` for each thread, if others than the first start threads; and first `@name` for the
/// program, if it has a name (`MM_PROGRAM`).
std::string schedule(const Execution &execution);
/// Why a schedule cannot be this program's by its name; empty if it can.
std::string namesAnotherProgram(const std::string &schedule);
/// Makes the locations shared that a schedule names, and gives threads its numbers.
void readNames(const std::string &schedule, Execution &execution);

/// Makes an execution again.
class ScheduledReplay : public Strategy {
public:
  explicit ScheduledReplay(std::vector<Step> steps) : steps(std::move(steps)) {}
  explicit ScheduledReplay(const std::string &text);

  bool addsInOrder() const override { return false; }
  int forcedThread(Execution &execution) override;
  int nextThread(Execution &execution, const std::vector<int> &enabled, int running) override;
  int chooseSource(Execution &execution, const Event &read, int thread, const std::vector<EventId> &sources) override;
  int choosePlace(Execution &execution, EventId write, const std::vector<int> &places) override;

  /// Whether the execution was the one of the schedule, as far as this goes.
  bool hasFollowed(const Execution &execution) const;

private:
  std::vector<Step> steps;
  bool hasLeft = false;
};

}  // namespace mm
