// Threads wait in the checker: see futex.h.
