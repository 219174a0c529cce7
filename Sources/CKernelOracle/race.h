// The statements of a program of two halves. race.c says what such a program is.
#pragma once

#include "oracle.h"

enum { race_spaces = 4, longest_operand = 2 * page_size };

enum step_kind { changes_memory, accesses_memory, accesses_remotely, uses_file, takes_pin, uses_pin, forks, exits };

// A statement, or the part of one that is about one page, with the answer of its last run.
struct step {
  enum step_kind kind;
  // Whether it goes on with the statement of the step before it, so that it is skipped if that failed.
  bool continues;
  char verb[12];
  // The indices of the space and of the pin or the child. In place of the latter, the descriptor of the file.
  int space, other;
  // The memory that it changes, accesses or pins.
  struct request request;
  // Of a file or a pin.
  uint64_t offset;
  uint64_t count;
  unsigned char *bytes;

  bool was_skipped;
  int64_t result;
};

// race_step.c.
// Reads a line, which begins with `+ ` if it goes on with the line before. Returns false for a line about the machine.
bool parse_step(char *line, struct step *step);
// Gives the files their first contents.
void renew_files(void);
bool has_failed(const struct step *step);
// Puts the answer as one word.
void put_answer(FILE *to, const struct step *step);

// race_perform.c. The calling process is the space with index 0.
// Allocates what the steps share with the processes that they fork.
void prepare_steps(void);
// Each of two threads may perform a step.
void perform_step(struct step *step);
// Releases all pins, ends all forked spaces and unmaps everything.
void clear_steps(void);
