// Runs scenario programs on real memory: every space is a process of the host's kernel. See main.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// What is asked for beyond these ends the program; who writes the programs sees to that (Comparability).
enum {
  page_size = 4096,
  max_spaces = 16,
  max_pins = 8,
  max_files = 4,
  max_pin_pages = 64,
  max_bytes = 1 << 21,
  max_name = 32,
};

// What a process is asked to do with its own memory. The numbers' meanings stand at each.
enum operation {
  op_map,        // address, length, prot, flags, fd, offset, whether it may use huge pages
  op_unmap,      // address, length
  op_protect,    // address, length, prot
  op_advise,     // address, length, advice
  op_remap,      // address, length, new address, new length
  op_fork,       // index of the child
  op_read,       // address, count; the bytes come back in the mailbox
  op_write,      // address, count; the bytes lie in the mailbox
  op_reference,  // address, pages, index: vmsplice into a pipe
  op_pin,        // address, pages, index: fixed buffers of the ring
};

// One request and its answer. There is one mailbox, shared by all processes: only one of them runs at a time.
struct mailbox {
  enum operation operation;
  uint64_t number[7];
  // Not negative: the answer. Negative: -errno, or one of the signals below.
  int64_t result;
  unsigned char bytes[max_bytes];
};

// Beside -errno: the access was answered by a signal.
#define answered_by_signal(signal) (-4096 - (signal))

extern struct mailbox *mailbox;

// space.c: processes.
void make_spaces(void);
// Asks a space, and waits. Ends the program where the space does not answer.
int64_t ask_space(int index, enum operation operation, const uint64_t *numbers, int count);
void start_space(int index);
void stop_space(int index);
void stop_all_spaces(void);
pid_t space_process(int index);

// pins.c: what outlives a process. The first argument is the index of a pin.
// Null, or why the kernel has no such thing for us.
const char *make_pins(void);
int64_t reference_pages(int pin, uint64_t address, uint64_t pages);
int64_t pin_pages(int pin, uint64_t address, uint64_t pages);
void drop_references(int pin);
void drop_pins(int pin, uint64_t pages);
void peek_references(int pin, uint64_t pages, uint64_t offset, uint64_t count, unsigned char *bytes);
void move_through_pin(int pin, bool write, uint64_t address, uint64_t offset, uint64_t count, unsigned char *bytes);

// remote.c: what the kernel takes on another process's pages for the length of a system call.
// How many pages can be had, or -errno.
int64_t try_remote(pid_t process, bool force, bool write_in, uint64_t address, uint64_t pages);
void move_remotely(pid_t process, bool force, bool write_in, uint64_t address, uint64_t count, unsigned char *bytes);
// Prints how often an anonymous page is mapped; `other` for what is none, `unknown` where the kernel does not tell.
void print_frame(pid_t process, uint64_t address);

// words.c: the language's words. A word may be missing (null), which ends the program like one that cannot be read.
// The bytes that a statement passes on.
extern unsigned char bytes[max_bytes];
void print_result(int64_t result);
void print_number(int64_t result);
void print_bytes(const unsigned char *start, uint64_t count);
uint64_t number(const char *word);
uint64_t count_of_bytes(const char *word);
unsigned char hex_byte(const char *word);
// Puts the bytes that a word says in `bytes`; returns how many.
uint64_t parse_bytes(const char *word);
int protection(const char *word);
int advice(const char *word);

// program.c: the statements.
// Runs one line and prints its result; nothing for a line without a statement.
void run_line(char *line);
// Drops all that the program has made.
void end_program(void);

void die(const char *what) __attribute__((noreturn));
