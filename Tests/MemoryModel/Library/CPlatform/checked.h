// What programs ask of the overlay alone.
#ifndef CPLATFORM_CHECKED_H
#define CPLATFORM_CHECKED_H

/// The calling thread touches a page that its file has lost: the handler of SIGBUS runs.
void mm_lose_page(void *address);

/// Gives the calling thread a number as outside of the checker, in place of the checker's. Once in a thread.
int mm_register_thread(void);

/// Waits until the thread that watches grace periods sleeps the next time, and will look again.
void mm_await_watch(void);

/// How many threads are listed as readers.
int mm_listed_readers(void);

#endif
