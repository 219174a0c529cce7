#include <climits>

#include "Exploration.hpp"
#include "Weakening.hpp"
#include "memory_model.h"

using namespace mm;

#define SITE reinterpret_cast<uintptr_t>(__builtin_return_address(0))

namespace {

/// Whether the caller is a thread of an exploration.
bool isModelled() { return currentNumber >= 0; }

void demandModelled(const char *function) {
  if (isModelled()) return;
  fprintf(stderr, "%s was called outside of mm_explore\n", function);
  abort();
}

}  // namespace

extern "C" {

mm_result mm_explore(void (*test)(void *), void *argument, const mm_options *options) {
  Options chosen;
  if (options) {
    if (options->preemption_bound > 0) chosen.bound = static_cast<int>(options->preemption_bound);
    chosen.isRandom = options->random != 0;
    chosen.seed = options->seed;
    chosen.maximumExecutions = options->max_executions;
  }
  Exploration &exploration = Exploration::last();
  exploration.run(test, argument, chosen);
  return {exploration.executions, exploration.blocked, exploration.isComplete,
          exploration.failure.empty() ? nullptr : exploration.failure.c_str()};
}

int mm_spawn(void (*body)(void *), void *argument) {
  demandModelled("mm_spawn");
  return Execution::shared().spawn(body, argument, SITE);
}

void mm_join(int thread) {
  demandModelled("mm_join");
  Execution::shared().join(thread, SITE);
}

void mm_assert(int holds, const char *what) {
  if (holds) return;
  demandModelled("mm_assert");
  Execution &execution = Execution::shared();
  execution.fail(std::string("assertion failed: ") + what,
                 {execution.placeHere("thread " + std::to_string(currentNumber), SITE)});
}

void mm_observe(const char *name, long value) {
  demandModelled("mm_observe");
  Execution::shared().observe(name, value);
}

void mm_rcu_read_lock(void) {
  if (isModelled() && !Weakening::shared().skips(SITE, Operation::section)) Execution::shared().sectionBegin(SITE);
}
void mm_rcu_read_unlock(void) {
  if (isModelled() && !Weakening::shared().skips(SITE, Operation::section)) Execution::shared().sectionEnd(SITE);
}
void mm_synchronize_rcu(void) {
  if (isModelled()) Execution::shared().gracePeriod(SITE);
}

void mm_pause(void) {
  if (isModelled()) Execution::shared().pause(SITE);
}
void mm_let_loops_end(void) {
  if (isModelled()) Execution::shared().letLoopsEnd();
}

int mm_outcomes(const char **names, void (*each)(const long *, unsigned long, void *), void *context) {
  Exploration &exploration = Exploration::last();
  size_t count = exploration.names.size();
  for (size_t i = 0; names && i < count; i++) names[i] = exploration.names[i].c_str();
  if (each)
    for (const auto &[values, times] : exploration.outcomes) {
      std::vector<long> row = values;
      row.resize(count, LONG_MIN);
      each(row.data(), times, context);
    }
  return static_cast<int>(count);
}

}  // extern "C"
