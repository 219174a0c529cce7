// Runs scenario programs on real memory in real processes of the host's kernel, and prints what came of each statement.
//
// Standard input: programs of the scenario language, one statement a line, each program ended by a line `end` (or by the end
// of the input). Standard output: `ready` first, or `unavailable: WHY` and exit status 77; then one RESULT for each
// statement, and `done` for each `end`. Whatever is wrong with this side of the comparison itself is said on standard error,
// and the exit status is 1.
//
// Every space is a child process of this one, also where it was forked from another space. None outlives this process, and
// this process does not outlive its input.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

void die(const char *what) {
  int error = errno;
  fflush(stdout);
  fprintf(stderr, "kernel-oracle: %s (%s)\n", what, strerror(error));
  stop_all_spaces();
  exit(1);
}

enum { longest_line = 3 * max_bytes };

static void run_program(char *text) {
  char *rest = text;
  while (*rest) {
    char *line = rest;
    rest = strchrnul(line, '\n');
    if (*rest) *rest++ = 0;
    run_line(line);
  }
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  make_spaces();
  const char *problem = make_pins();
  if (problem) {
    printf("unavailable: %s\n", problem);
    return 77;
  }
  puts("ready");
  fflush(stdout);
  // A program is read to its end before it is run, so that whoever writes it need not read at the same time.
  char *text = NULL;
  size_t room = 0, length = 0;
  for (bool more = true; more;) {
    if (room - length < longest_line) {
      room += longest_line;
      text = realloc(text, room);
      if (!text) die("a program is too long");
    }
    more = fgets(text + length, longest_line, stdin) != NULL;
    if (more && strcmp(text + length, "end\n") != 0) {
      length += strlen(text + length);
      continue;
    }
    text[length] = 0;
    run_program(text);
    length = 0;
    end_program();
    if (more) puts("done");
    if (fflush(stdout) != 0) break;
  }
  free(text);
  return 0;
}
