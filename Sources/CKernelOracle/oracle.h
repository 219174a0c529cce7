// The parts of the kernel oracle. include/kernel_oracle.h says what the oracle does.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

// A program that exceeds a limit ends the oracle. `Comparability` (Sources/Fuzz) keeps such programs away.
enum {
  page_size = 4096,
  max_spaces = 16,
  max_pins = 8,
  max_files = 4,
  max_pin_pages = 64,
  max_bytes = 1 << 21,
  // In place of a descriptor: the space makes secret memory.
  secret_fd = -2,
  // With the terminating zero.
  max_name = 32,
};

// A file that is mapped by frame number (VM_PFNMAP): the kernel's own types, in its read-only memory. Linux 6.16 maps
// it whole (`remap_pfn_range`), private and for reading only. `FrameNumberFile` (Sources/Fuzz) has the same path and
// length.
#define frame_number_file "/sys/kernel/btf/vmlinux"
enum { frame_number_pages = 16 };

// An operation of a process on its own memory. The comment beside each names its numbers.
enum operation {
  op_map,        // address, length, prot, flags, fd, offset, whether huge pages are wanted
  op_unmap,      // address, length
  op_protect,    // address, length, prot
  op_advise,     // address, length, advice
  op_seal,       // address, length
  op_remap,      // address, length, new address, new length, whether the old range stays mapped
  op_lock,       // address, length
  op_unlock,     // address, length
  op_fork,       // index of the child
  op_read,       // address, count; the mailbox returns the bytes
  op_write,      // address, count; the mailbox holds the bytes
  op_reference,  // address, pages, index: vmsplice into a pipe
  op_pin,        // address, pages, index: fixed buffers of the ring
  op_read_pin,   // address, pages: see reading.c
};

// One operation with its numbers. `bytes` are what `op_write` stores, and where `op_read` puts what it loads.
struct request {
  enum operation operation;
  uint64_t number[7];
  unsigned char *bytes;
};

// A request to a space, and its answer. All spaces share one mailbox, because only one of them runs at a time.
struct mailbox {
  struct request request;
  // Not negative: the answer. Negative: -errno, or a signal encoded by `answered_by_signal`.
  int64_t result;
  unsigned char bytes[max_bytes];
};

// A value below every -errno: the access was answered by a signal.
#define answered_by_signal(signal) (-4096 - (signal))

extern struct mailbox *mailbox;

// space.c: processes.
void make_spaces(void);
// Sends a request to a space and waits. Ends the oracle if the space does not answer.
int64_t ask_space(int index, const struct request *request);
// Performs a request on the memory of the calling process. `op_fork` is the caller's own.
int64_t perform(const struct request *request);
// From now on an access that is answered by SIGSEGV or SIGBUS returns that from `perform`.
void catch_faults(void);
// Lets the calling process run on every processor again.
void leave_one_processor(void);
void start_space(int index);
void stop_space(int index);
void stop_all_spaces(void);
pid_t space_process(int index);

// pins.c: references and pins that outlive a process. The first argument is the index of a pin.
// Returns null, or the reason why this kernel does not offer them to this process.
const char *make_pins(void);
int64_t reference_pages(int pin, uint64_t address, uint64_t pages);
int64_t pin_pages(int pin, uint64_t address, uint64_t pages);
void drop_references(int pin);
void drop_pins(int pin, uint64_t pages);
void peek_references(int pin, uint64_t pages, uint64_t offset, uint64_t count, unsigned char *bytes);
void move_through_pin(int pin, bool write, uint64_t address, uint64_t offset, uint64_t count, unsigned char *bytes);

// reading.c: long-term pins for reading. There is one set at a time.
// Why this kernel takes none: null if it does.
const char *missing_reading_pins(void);
int64_t pin_for_reading(uint64_t address, uint64_t pages);
void drop_reading_pins(void);
void peek_reading_pins(uint64_t pages, uint64_t offset, uint64_t count, unsigned char *bytes);

// remote.c: references and pins that the kernel holds on another process's pages for one system call.
// Returns how many pages the kernel granted, or -errno.
int64_t try_remote(pid_t process, bool force, bool write_in, uint64_t address, uint64_t pages);
void move_remotely(pid_t process, bool force, bool write_in, uint64_t address, uint64_t count, unsigned char *bytes);
// Copies bytes between `bytes` and another process. Returns how many, or -errno.
int64_t copy_remotely(pid_t process, bool write_in, uint64_t address, void *bytes, uint64_t count);

// frames.c: what the kernel tells about pages.
// Prints how many entries map an anonymous page, `other` for other pages, or `unknown` if the kernel does not tell.
void print_frame(pid_t process, uint64_t address);
// Why it does not tell; why no page goes out to swap; why no memory comes in 2 MiB. Null if there is no reason.
const char *missing_frames(void);
const char *missing_swap(void);
const char *missing_huge(void);

// features.c: what not every kernel has.
// A descriptor of secret memory of that length, or -1.
int make_secret(uint64_t length);
// mseal(2).
int seal(void *address, uint64_t length);
// Prints a line `without WORD: REASON` for each word of the language that this machine cannot answer.
void print_missing_words(void);

// files.c: real files.
// Why there is no disk to make a file on: null if there is one, else the folder and the reason.
const char *missing_disk(void);
// Makes a file without a name and returns its descriptor. `fill` is a BYTE, or null for zeroes.
int make_file(bool on_disk, uint64_t length, const char *fill);
// The next four return 0 or -errno. The bytes are those in `operand`.
int write_bytes(int fd, uint64_t offset, uint64_t count);
int change_length(int fd, uint64_t length);
int punch_hole(int fd, uint64_t offset, uint64_t length);
int write_back(int fd);
void print_disk_bytes(int fd, uint64_t offset, uint64_t count);

// numbers.c: memory that the kernel maps by frame number (VM_PFNMAP).
// Opens a file for reading. Why the kernel does not map `frame_number_file` by number: null if it does.
int open_image(const char *path);
const char *missing_image(void);
// Makes a page of zeroes that is mapped by number, shared: the first page of a perf event's buffer. The event never
// runs, so the kernel leaves the page alone. A child does not inherit its mappings. `page` lasts as long as the device
// must.
int make_device(void **page);
// Why there is none: null if there is.
const char *missing_device(void);

// race.c: two halves of a program that run at once.
// Whether the program's first line says so. Then `run_race` runs it and prints its answers.
bool is_race(const char *text);
void run_race(char *text);

// words.c: the language's words. A missing (null) or malformed word ends the oracle.
// The BYTES that the current statement reads or writes.
extern unsigned char operand[max_bytes];
// Each prints a line.
void print_result(int64_t result);
void print_number(int64_t result);
void print_bytes(const unsigned char *start, uint64_t count);
// The same, without the end of the line.
void put_result(FILE *to, int64_t result);
void put_number(FILE *to, int64_t result);
void put_bytes(FILE *to, const unsigned char *start, uint64_t count);
uint64_t parse_number(const char *word);
uint64_t parse_count(const char *word);
unsigned char parse_byte(const char *word);
// Puts the bytes of a word in `operand` and returns their number.
uint64_t parse_bytes(const char *word);
int parse_protection(const char *word);
int parse_advice(const char *word);

// The descriptor of the file of that name, or -1.
typedef int find_file(const char *name, bool *is_on_disk);
// The request of a statement that changes mappings: `map`, `unmap`, `protect`, `advise`, `seal`, `remap`, `lock` or
// `unlock`.
// Returns false for a `map` of a file that there is not.
bool parse_change(char **word, find_file *find_file, struct request *request);
bool is_change(const char *verb);

// program.c: the statements.
// Runs one line and prints its result. Prints nothing for a line without a statement.
void run_line(char *line);
// Drops everything that the program made.
void end_program(void);

// Says `what` with the current errno on standard error and ends the process with status 1.
void oracle_die(const char *what) __attribute__((noreturn));
