// Runs a small concurrent program in every execution that the RC11 memory model allows.
//
// The program is compiled with `-sanitize=thread` (Swift) or `-fsanitize=thread` (C) and linked without the sanitizer, against
// this runtime. Each atomic access then becomes a call into the runtime, which picks the next thread and the store that a load reads.
#ifndef MEMORY_MODEL_H
#define MEMORY_MODEL_H

#ifdef __cplusplus
extern "C" {
#endif

/// How to explore. All zero explores completely.
typedef struct {
  /// The most preemptions in one execution. Zero sets no bound.
  unsigned preemption_bound;
  /// Stop after so many executions. Zero sets no limit, or 10,000 if `random` is set.
  unsigned max_executions;
  /// Not zero: a random walk instead of a search.
  int random;
  /// Where the random walk starts. Equal seeds give equal walks.
  unsigned long seed;
} mm_options;

/// What an exploration found.
typedef struct {
  /// Executions that ran to their end, each a different one if the search is complete.
  unsigned long executions;
  /// Executions that ended with a thread waiting for a store that another execution makes visible to it.
  unsigned long blocked;
  /// Not zero if every execution that the model allows was seen.
  int complete;
  /// The first failure, or null. Valid until the next exploration.
  const char *failure;
} mm_result;

/// Runs `test(argument)` once per execution. `options` may be null. One exploration at a time.
mm_result mm_explore(void (*test)(void *), void *argument, const mm_options *options);

/// Starts a thread of the program under test and returns its number. At most 15 besides the first.
int mm_spawn(void (*body)(void *), void *argument);
/// Waits for the end of a thread; what it did happens before the return.
void mm_join(int thread);

/// Fails the exploration unless `holds`.
void mm_assert(int holds, const char *what);
/// Adds a value to the outcome of this execution. The last value of a name counts.
void mm_observe(const char *name, long value);

/// Begins a read-side section. Sections nest.
void mm_rcu_read_lock(void);
/// Ends a read-side section.
void mm_rcu_read_unlock(void);
/// A grace period: waits for every section that began before it, and is a full barrier.
void mm_synchronize_rcu(void);

/// The end of a turn of a loop that waits. A turn that changed nothing, or the same as the last one, is made once.
void mm_pause(void);
/// Lets loops that pause end by themselves in this execution, as loops do that count their turns.
void mm_let_loops_end(void);

/// Gives the names and the outcomes of the last exploration; returns the number of names.
///
/// `names` has room for every name, or is null. `each` is called once for each outcome in ascending order, with a value for each
/// name (`LONG_MIN` for a name that the execution did not observe) and the number of executions; it may be null.
int mm_outcomes(const char **names, void (*each)(const long *values, unsigned long times, void *context), void *context);

#ifdef __cplusplus
}
#endif

#endif
