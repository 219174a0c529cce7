// Reads the statements of a program of two halves, and prints their answers.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "race.h"

static char space_names[race_spaces][max_name];

static struct {
  char name[max_name];
  int fd;
  uint64_t length;
  int fill;
} files[max_files];
static int file_count;

static bool is(const char *word, const char *text) { return strcmp(word, text) == 0; }

// MARK: Names

static int index_of(char names[][max_name], int count, const char *name) {
  for (int i = 0; i < count; i++) {
    if (is(names[i], name)) return i;
    if (names[i][0]) continue;
    snprintf(names[i], max_name, "%s", name);
    return i;
  }
  oracle_die("too many names");
}

static int space_index(const char *name) {
  if (!name) oracle_die("a space is missing");
  return index_of(space_names, race_spaces, name);
}

static int pin_index(const char *name) {
  static char names[max_pins][max_name];
  if (!name) oracle_die("a pin is missing");
  return index_of(names, max_pins, name);
}

static int file_descriptor(const char *name, bool *is_on_disk) {
  *is_on_disk = false;
  for (int i = 0; i < file_count; i++)
    if (is(files[i].name, name)) return files[i].fd;
  return -1;
}

// MARK: Reading

static void add_file(char **word) {
  if (file_count == max_files || !word[1]) oracle_die("too many files");
  uint64_t length = parse_number(word[2]) * page_size;
  if (length > max_bytes) oracle_die("a file is too long");
  snprintf(files[file_count].name, max_name, "%s", word[1]);
  files[file_count].fd = make_file(false, length, NULL);
  files[file_count].length = length;
  files[file_count].fill = word[3] ? parse_byte(word[3]) : 0;
  file_count++;
}

static void take_operand(struct step *step, bool is_given, const char *word) {
  step->count = is_given ? parse_bytes(word) : parse_count(word);
  if (step->count > longest_operand) oracle_die("too many bytes for a half");
  step->bytes = malloc(step->count + 1);
  if (!step->bytes) oracle_die("malloc");
  if (is_given) memcpy(step->bytes, operand, step->count);
}

static void take_access(struct step *step, char **word) {
  bool is_remote = word[0][0] == 'r' && word[0][1] != 'e';
  bool writes = is(word[0], "write") || is(word[0], "rwrite");
  step->kind = is_remote ? accesses_remotely : accesses_memory;
  step->space = space_index(word[1]);
  take_operand(step, writes, word[3]);
  step->request =
      (struct request){writes ? op_write : op_read, {parse_number(word[2]), step->count}, step->bytes};
}

static void take_file_step(struct step *step, char **word) {
  bool is_on_disk;
  step->kind = uses_file;
  step->other = word[1] ? file_descriptor(word[1], &is_on_disk) : -1;
  step->offset = parse_number(word[2]);
  if (is(word[0], "punch")) step->count = parse_number(word[3]);
  else if (!is(word[0], "truncate")) take_operand(step, is(word[0], "writefile"), word[3]);
}

static void take_pin(struct step *step, char **word) {
  bool is_pin = is(word[0], "pin");
  if (is_pin ? !word[5] || !word[6] || !is(word[5], "write") || !is(word[6], "longterm") : word[5] != NULL)
    oracle_die("a pin that real memory does not have here");
  step->kind = takes_pin;
  step->other = pin_index(word[1]);
  step->space = space_index(word[2]);
  step->request = (struct request){
      is_pin ? op_pin : op_reference, {parse_number(word[3]), parse_number(word[4]), (uint64_t)step->other}, NULL};
}

static void take_pin_use(struct step *step, char **word) {
  step->kind = uses_pin;
  step->other = pin_index(word[1]);
  if (is(word[0], "release")) return;
  step->offset = parse_number(word[2]);
  take_operand(step, is(word[0], "poke"), word[3]);
}

bool parse_step(char *line, struct step *step) {
  enum { max_words = 12 };
  char *word[max_words + 1] = {0};
  int count = 0;
  for (char *next = strtok(line, " "); next; next = strtok(NULL, " ")) {
    if (count == max_words) oracle_die("too many words");
    word[count++] = next;
  }
  *step = (struct step){0};
  char **words = word;
  if (count > 0 && is(word[0], "+")) {
    step->continues = true;
    words++;
  }
  if (!words[0]) oracle_die("a statement is missing");
  const char *verb = words[0];
  snprintf(step->verb, sizeof step->verb, "%s", verb);
  if (is(verb, "memory")) return false;
  if (is(verb, "file")) return add_file(words), false;
  if (!words[1]) oracle_die("a statement is too short");
  if (is(verb, "space")) {
    if (space_index(words[1]) != 0) oracle_die("a second space that is no fork");
    return false;
  }
  if (is(verb, "read") || is(verb, "write") || is(verb, "rread") || is(verb, "rwrite")) {
    take_access(step, words);
  } else if (is(verb, "readfile") || is(verb, "writefile") || is(verb, "truncate") || is(verb, "punch")) {
    take_file_step(step, words);
  } else if (is(verb, "pin") || is(verb, "get")) {
    take_pin(step, words);
  } else if (is(verb, "release") || is(verb, "peek") || is(verb, "poke")) {
    take_pin_use(step, words);
  } else if (is(verb, "fork") || is(verb, "exit")) {
    step->kind = is(verb, "fork") ? forks : exits;
    step->space = space_index(words[1]);
    if (is(verb, "fork")) step->other = space_index(words[2]);
    if (is(verb, "fork") == (step->space != 0)) oracle_die("a fork of a fork, or the end of the first space");
  } else if (is_change(verb)) {
    step->kind = changes_memory;
    step->space = space_index(words[1]);
    if (!parse_change(words, file_descriptor, &step->request)) oracle_die("a map of a file that there is not");
  } else {
    oracle_die("a statement that halves do not have here");
  }
  return true;
}

void renew_files(void) {
  for (int i = 0; i < file_count; i++) {
    // Every page goes, so the file gets new ones.
    int error = change_length(files[i].fd, 0);
    if (!error) error = change_length(files[i].fd, files[i].length);
    if (!error && files[i].fill) {
      memset(operand, files[i].fill, files[i].length);
      error = write_bytes(files[i].fd, 0, files[i].length);
    }
    if (error) oracle_die("renew a file");
  }
}

// MARK: Answers

bool has_failed(const struct step *step) {
  if (step->was_skipped || step->result < 0) return true;
  if (step->kind == accesses_remotely) return (uint64_t)step->result < step->count;
  return step->kind == takes_pin && (uint64_t)step->result < step->request.number[1];
}

void put_answer(FILE *to, const struct step *step) {
  bool reads = is(step->verb, "read") || is(step->verb, "rread") || is(step->verb, "readfile") || is(step->verb, "peek");
  if (step->was_skipped) fputs("skipped", to);
  else if (step->result < 0) put_result(to, step->result);
  // A word is never empty.
  else if (reads && step->result == 0) fputs("-", to);
  else if (reads) put_bytes(to, step->bytes, (uint64_t)step->result);
  else if (step->kind == takes_pin || has_failed(step)) put_number(to, step->result);
  else fputs("ok", to);
}
