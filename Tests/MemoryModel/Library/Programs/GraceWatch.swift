import CPlatform

/// Runs a grace period that lasts until a thread watches it, whatever sections there are. A thread that never comes is
/// a deadlock.
private func runWatchedGracePeriod() {
  cp_begin_grace_period()
  mm_await_watch()
  cp_end_grace_period()
}

/// A grace period begins while the thread that watched the last one ends. The main thread is a reader.
func gracePeriodAgainstEndOfWatch() {
  cp_list_reader()
  inParallel({
    cp_watch_grace_period()
    runWatchedGracePeriod()
  })
}

/// A grace period begins while the first reader is listed.
func gracePeriodAgainstNewReader() { inParallel({ runWatchedGracePeriod() }, meanwhile: { cp_list_reader() }) }

/// A grace period begins while the limit for sections is set, which was none.
func gracePeriodAgainstNewLimit() {
  cp_list_reader()
  cp_set_long_section_limit(0)
  inParallel({ runWatchedGracePeriod() }, { cp_set_long_section_limit(1000) })
}

/// A reader is listed and ends while a grace period begins and ends. It is no longer listed.
func gracePeriodAgainstEndOfReader() {
  inParallel(
    { cp_list_reader() },
    {
      cp_begin_grace_period()
      cp_end_grace_period()
    })
  check(mm_listed_readers() == 0, "a reader is listed that has ended")
}

/// A grace period and a new reader find no thread to spare. No thread watches then, so the next one to look may find
/// one.
func gracePeriodAgainstNoThread() {
  cp_list_reader()
  mm_refuse_threads()
  inParallel(
    {
      cp_begin_grace_period()
      cp_end_grace_period()
    },
    { cp_list_reader() })
  check(mm_is_watched() == 0, "a thread watches that was never there")
}

/// A section is longer than a grace period may wait for it. The grace period ends, or the section is reported first,
/// once.
func longSectionAgainstEndOfGracePeriod() {
  cp_list_reader()
  mm_begin_long_section()
  inParallel({ runWatchedGracePeriod() })
  check(mm_reports() <= 1, "a section is reported twice")
}
