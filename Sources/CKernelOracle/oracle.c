// Reads programs, runs each and prints its results. include/kernel_oracle.h describes the two streams.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_oracle.h"
#include "oracle.h"

void oracle_die(const char *what) {
  int error = errno;
  fflush(stdout);
  fprintf(stderr, "gup kernel-oracle: %s (%s)\n", what, strerror(error));
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

int kernel_oracle_run(void) {
  signal(SIGPIPE, SIG_IGN);
  // A terminal sends Ctrl-C to the comparing process too. That process decides when to stop and closes the input.
  signal(SIGINT, SIG_IGN);
  make_spaces();
  const char *problem = make_pins();
  if (problem) {
    printf("unavailable: %s\n", problem);
    return 77;
  }
  print_missing_words();
  puts("ready");
  fflush(stdout);
  // A program is read to its end before it runs, so the writer of the program need not read results at the same time.
  char *text = NULL;
  size_t room = 0, length = 0;
  for (bool more = true; more;) {
    if (room - length < longest_line) {
      room += longest_line;
      text = realloc(text, room);
      if (!text) oracle_die("a program is too long");
    }
    more = fgets(text + length, longest_line, stdin) != NULL;
    if (more && strcmp(text + length, ".\n") != 0) {
      length += strlen(text + length);
      continue;
    }
    text[length] = 0;
    if (is_race(text)) run_race(text);
    else run_program(text);
    length = 0;
    end_program();
    if (more) puts("done");
    if (fflush(stdout) != 0) break;
  }
  free(text);
  return 0;
}
