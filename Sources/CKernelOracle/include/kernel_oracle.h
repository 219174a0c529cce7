// The kernel's side of `gup fuzz`: runs scenario programs on real memory in real processes of the host's kernel.
#pragma once

// Serves standard input until it ends, and returns the exit status of the process.
//
// Standard input: programs of the scenario language, one statement a line. A line `.`, or the end of the input, ends a
// program. A first line `halves` says that the program is one of two halves: see race.c. Standard output: first a line
// `without WORD: REASON` for each word that no program may have here, and for `frame`, `swap` and `huge`, if what they
// ask for does not come about; then `ready`. Or `unavailable: REASON` and status 77. Then one RESULT a statement, and
// `done` for each `end`. If the oracle itself fails, it says so on standard error and the status is 1.
//
// Every space is a child process of the caller, also a space that was forked from another. No child outlives the
// caller. The calling process must have one thread and nothing mapped below 0x400000000000.
int kernel_oracle_run(void);
