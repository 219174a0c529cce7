// What programs ask of the overlay alone.
#ifndef CPLATFORM_CHECKED_H
#define CPLATFORM_CHECKED_H

#include <sys/types.h>

/// The calling thread touches a page that its file has lost: the handler of SIGBUS runs.
void mm_lose_page(void *address);

/// Gives the calling thread a number as outside of the checker, in place of the checker's. Once in a thread.
int mm_register_thread(void);

/// Waits until the thread that watches grace periods sleeps the next time, and will look again.
void mm_await_watch(void);

/// The process has no thread to spare from here on for a service thread.
void mm_refuse_threads(void);
/// Whether a thread says that it watches grace periods.
int mm_is_watched(void);

/// Begins a section of the calling thread, a reader, that the next grace period waits for. Time passes at the first
/// sleep of the thread that watches. Before there are other threads.
void mm_begin_long_section(void);
/// How many long sections were reported.
int mm_reports(void);

/// The kernel takes what was submitted when it is called, and not before.
void mm_ring_takes_at_calls(void);

/// The descriptor of a new file of so many bytes.
int mm_new_file_of(off_t bytes);
/// Sets its length, as another program may do.
int mm_ftruncate(int file, off_t bytes);

/// How many threads are listed as readers.
int mm_listed_readers(void);

#endif
