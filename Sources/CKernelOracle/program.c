// Runs the statements of the scenario language that real memory can answer.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle.h"

enum { max_words = 12 };
// `remote_pins` and `forced_references` last for one system call only: see remote.c.
enum holding { references, pins, reading_pins, remote_pins, forced_references };

static struct thing {
  char name[max_name];
  bool used;
  int fd;
  bool is_on_disk;
  // The driver's own mapping of a device, or null.
  void *device;
  // The rest describes a pin.
  enum holding holding;
  pid_t process;
  uint64_t address, pages;
} spaces[max_spaces], held[max_pins], files[max_files];

static int find(const struct thing *things, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (things[i].used && strcmp(things[i].name, name) == 0) return i;
  return -1;
}

static int add(struct thing *things, int count, const char *name) {
  for (int i = 0; i < count; i++) {
    if (things[i].used) continue;
    things[i] = (struct thing){.used = true};
    snprintf(things[i].name, max_name, "%s", name);
    return i;
  }
  oracle_die("too many names");
}

// MARK: Statements

static void add_file(char **word, bool on_disk) {
  int index = add(files, max_files, word[1]);
  uint64_t length = parse_number(word[2]) * page_size;
  if (length > max_bytes) oracle_die("a file is too long");
  files[index].fd = make_file(on_disk, length, word[3]);
  files[index].is_on_disk = on_disk;
  puts("ok");
}

static void add_image(char **word) {
  files[add(files, max_files, word[1])].fd = open_image(word[3]);
  puts("ok");
}

static void add_device(char **word) {
  int index = add(files, max_files, word[1]);
  files[index].fd = make_device(&files[index].device);
  puts("ok");
}

static bool is(const char *word, const char *text) { return strcmp(word, text) == 0; }

static bool is_about_file(const char *verb) {
  static const char *const verbs[] = {"readfile", "writefile", "truncate", "punch", "sync", "ondisk"};
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (is(verb, verbs[i])) return true;
  return false;
}

static void use_file(int fd, char **word) {
  if (is(word[0], "sync")) return print_result(write_back(fd));
  if (is(word[0], "truncate")) return print_result(change_length(fd, parse_number(word[2])));
  if (is(word[0], "punch"))
    return print_result(punch_hole(fd, parse_number(word[2]) * page_size, parse_number(word[3]) * page_size));
  uint64_t offset = parse_number(word[2]);
  if (is(word[0], "writefile")) return print_result(write_bytes(fd, offset, parse_bytes(word[3])));
  uint64_t wanted = parse_count(word[3]);
  if (is(word[0], "ondisk")) return print_disk_bytes(fd, offset, wanted);
  ssize_t count = pread(fd, operand, wanted, (off_t)offset);
  if (count < 0) print_result(-errno);
  else print_bytes(operand, (uint64_t)count);
}

static int file_descriptor(const char *name, bool *is_on_disk) {
  int file = find(files, max_files, name);
  if (file < 0) return -1;
  *is_on_disk = files[file].is_on_disk;
  return files[file].fd;
}

static int64_t change(int space, char **word) {
  struct request request;
  if (!parse_change(word, file_descriptor, &request)) return -EINVAL;
  return ask_space(space, &request);
}

static int64_t fork_space(int parent, const char *name) {
  if (find(spaces, max_spaces, name) >= 0) return -EBUSY;
  int child = add(spaces, max_spaces, name);
  int64_t result = ask_space(parent, &(struct request){.operation = op_fork, .number = {(uint64_t)child}});
  if (result < 0) spaces[child].used = false;
  return result < 0 ? result : 0;
}

// The kind of real pin that these options ask for.
static enum holding holding(char **word, bool *writes) {
  bool long_term = false, force = false;
  for (char **option = word + 5; *option; option++) {
    if (strcmp(*option, "write") == 0) *writes = true;
    else if (strcmp(*option, "longterm") == 0) long_term = true;
    else if (strcmp(*option, "force") == 0) force = true;
    else oracle_die("an option that real memory does not have here");
  }
  if (word[0][0] == 'p') {
    if (!force && long_term) return *writes ? pins : reading_pins;
    if (!force && !long_term) return remote_pins;
  } else if (!long_term && (force || !*writes)) {
    return force ? forced_references : references;
  }
  oracle_die("a pin that real memory does not have here");
}

static int64_t hold(char **word) {
  if (find(held, max_pins, word[1]) >= 0) return -EBUSY;
  int space = find(spaces, max_spaces, word[2]);
  if (space < 0) return -EINVAL;
  bool writes = false;
  enum holding kind = holding(word, &writes);
  uint64_t pages = parse_number(word[4]);
  if (pages > max_pin_pages) oracle_die("a pin of too many pages");
  int index = add(held, max_pins, word[1]);
  enum operation operation = kind == pins ? op_pin : kind == reading_pins ? op_read_pin : op_reference;
  struct request request = {operation, {parse_number(word[3]), pages, (uint64_t)index}, NULL};
  bool lasts = kind == pins || kind == reading_pins || kind == references;
  int64_t result = lasts ? ask_space(space, &request)
                         : try_remote(space_process(space), kind == forced_references, writes, request.number[0], pages);
  held[index].used = result >= 0;
  held[index].holding = kind;
  held[index].process = space_process(space);
  held[index].address = request.number[0];
  held[index].pages = result < 0 ? 0 : (uint64_t)result;
  return result;
}

static void release(int pin) {
  if (held[pin].holding == pins) drop_pins(pin, held[pin].pages);
  if (held[pin].holding == reading_pins) drop_reading_pins();
  if (held[pin].holding == references) drop_references(pin);
  held[pin].used = false;
}

static void pass(const struct thing *pin, bool write_in, char **word) {
  uint64_t offset = parse_number(word[2]);
  uint64_t count = write_in ? parse_bytes(word[3]) : parse_count(word[3]);
  uint64_t length = pin->pages * page_size;
  if (offset > length || count > length - offset) {
    print_result(-EINVAL);
    return;
  }
  switch (pin->holding) {
    case pins:
      move_through_pin((int)(pin - held), write_in, pin->address, offset, count, operand);
      break;
    case references:
      if (write_in) oracle_die("a reference for reading is no way to write");
      peek_references((int)(pin - held), pin->pages, offset, count, operand);
      break;
    case reading_pins:
      if (write_in) oracle_die("a pin for reading is no way to write");
      peek_reading_pins(pin->pages, offset, count, operand);
      break;
    case remote_pins:
    case forced_references:
      move_remotely(pin->process, pin->holding == forced_references, write_in, pin->address + offset, count, operand);
  }
  if (write_in) puts("ok");
  else print_bytes(operand, count);
}

static void access_memory(int space, char **word) {
  bool writes = word[0][0] == 'w';
  uint64_t count = writes ? parse_bytes(word[3]) : parse_count(word[3]);
  struct request request = {writes ? op_write : op_read, {parse_number(word[2]), count}, mailbox->bytes};
  if (writes) memcpy(mailbox->bytes, operand, count);
  int64_t result = ask_space(space, &request);
  if (writes || result != 0) print_result(result);
  else print_bytes(mailbox->bytes, count);
}

static void access_remotely(int space, char **word) {
  bool writes = is(word[0], "rwrite");
  uint64_t count = writes ? parse_bytes(word[3]) : parse_count(word[3]);
  int64_t done = copy_remotely(space_process(space), writes, parse_number(word[2]), operand, count);
  if (done < 0) print_result(done);
  else if (!writes) print_bytes(operand, (uint64_t)done);
  else if ((uint64_t)done == count) puts("ok");
  else print_number(done);
}

static void run(char **word, int count) {
  if (is(word[0], "memory")) {
    puts("ok");
    return;
  }
  if (count < 2) oracle_die("a statement is too short");
  if (is(word[0], "file") || is(word[0], "diskfile")) return add_file(word, is(word[0], "diskfile"));
  if (is(word[0], "image")) return add_image(word);
  if (is(word[0], "device")) return add_device(word);
  if (is(word[0], "pin") || is(word[0], "get")) return print_number(hold(word));
  if (is(word[0], "space")) {
    start_space(add(spaces, max_spaces, word[1]));
    puts("ok");
    return;
  }
  int file = find(files, max_files, word[1]);
  int pin = find(held, max_pins, word[1]);
  int space = find(spaces, max_spaces, word[1]);
  bool of_file = is_about_file(word[0]);
  bool of_pin = is(word[0], "release") || is(word[0], "peek") || is(word[0], "poke");
  if ((of_file ? file : of_pin ? pin : space) < 0) return print_result(-EINVAL);
  if (of_file) return use_file(files[file].fd, word);
  if (of_pin && !is(word[0], "release")) return pass(&held[pin], is(word[0], "poke"), word);
  if (is(word[0], "frame")) return print_frame(space_process(space), parse_number(word[2]));
  if (is(word[0], "rread") || is(word[0], "rwrite")) return access_remotely(space, word);
  if (is(word[0], "read") || is(word[0], "write")) return access_memory(space, word);
  if (is(word[0], "release")) {
    release(pin);
    puts("ok");
  } else if (is(word[0], "exit")) {
    stop_space(space);
    spaces[space].used = false;
    puts("ok");
  } else if (is(word[0], "fork")) {
    print_result(fork_space(space, word[2]));
  } else if (is_change(word[0])) {
    print_result(change(space, word));
  } else {
    oracle_die("a statement that real memory does not have here");
  }
}

void run_line(char *line) {
  char *word[max_words + 1] = {0};
  int count = 0;
  for (char *next = strtok(line, " \t\r\n"); next; next = strtok(NULL, " \t\r\n")) {
    if (*next == '#' || is(next, "=>")) break;
    if (count == max_words) oracle_die("too many words");
    word[count++] = next;
  }
  if (count > 0) run(word, count);
}

void end_program(void) {
  for (int i = 0; i < max_pins; i++)
    if (held[i].used) release(i);
  stop_all_spaces();
  for (int i = 0; i < max_files; i++) {
    if (!files[i].used) continue;
    close(files[i].fd);
    if (files[i].device) munmap(files[i].device, page_size);
  }
  memset(spaces, 0, sizeof spaces);
  memset(held, 0, sizeof held);
  memset(files, 0, sizeof files);
}
