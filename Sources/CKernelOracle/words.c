// Reads the words of the scenario language and prints results in its form.
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "oracle.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

unsigned char operand[max_bytes];

// MARK: Results

void put_result(FILE *to, int64_t result) {
  if (result == 0) fputs("ok", to);
  else if (result == answered_by_signal(SIGSEGV)) fputs("SIGSEGV", to);
  else if (result == answered_by_signal(SIGBUS)) fputs("SIGBUS", to);
  else if (strerrorname_np((int)-result)) fputs(strerrorname_np((int)-result), to);
  else fprintf(to, "error %" PRId64, -result);
}

void put_number(FILE *to, int64_t result) {
  if (result < 0) put_result(to, result);
  else fprintf(to, "%" PRId64, result);
}

void put_bytes(FILE *to, const unsigned char *start, uint64_t count) {
  uint64_t equal = 1;
  while (equal < count && start[equal] == start[0]) equal++;
  if (count >= 16 && equal == count) {
    fprintf(to, "%02x*%" PRIu64, start[0], count);
    return;
  }
  for (uint64_t i = 0; i < count; i++) {
    putc("0123456789abcdef"[start[i] >> 4], to);
    putc("0123456789abcdef"[start[i] & 15], to);
  }
}

void print_result(int64_t result) {
  put_result(stdout, result);
  putchar('\n');
}

void print_number(int64_t result) {
  put_number(stdout, result);
  putchar('\n');
}

void print_bytes(const unsigned char *start, uint64_t count) {
  put_bytes(stdout, start, count);
  putchar('\n');
}

// MARK: Words

uint64_t parse_number(const char *word) {
  char *end;
  uint64_t value = word ? strtoull(word, &end, 0) : 0;
  if (!word || *end != 0) oracle_die("a number is missing or is none");
  return value;
}

uint64_t parse_count(const char *word) {
  uint64_t count = parse_number(word);
  if (count > max_bytes) oracle_die("too many bytes");
  return count;
}

unsigned char parse_byte(const char *word) {
  char digits[3] = {word[0], word[0] ? word[1] : 0, 0};
  char *end;
  unsigned long value = strtoul(digits, &end, 16);
  if (end != digits + 2) oracle_die("not a byte");
  return (unsigned char)value;
}

uint64_t parse_bytes(const char *word) {
  if (!word) oracle_die("bytes are missing");
  const char *star = strchr(word, '*');
  if (star) {
    uint64_t count = parse_count(star + 1);
    memset(operand, parse_byte(word), count);
    return count;
  }
  uint64_t count = strlen(word) / 2;
  if (count > max_bytes) oracle_die("too many bytes");
  for (uint64_t i = 0; i < count; i++) operand[i] = parse_byte(word + 2 * i);
  return count;
}

int parse_protection(const char *word) {
  if (!word) oracle_die("a permission is missing");
  if (strcmp(word, "none") == 0) return PROT_NONE;
  if (strcmp(word, "r") == 0) return PROT_READ;
  if (strcmp(word, "w") == 0) return PROT_WRITE;
  if (strcmp(word, "rw") == 0) return PROT_READ | PROT_WRITE;
  oracle_die("not a permission");
}

int parse_advice(const char *word) {
  if (!word) oracle_die("advice is missing");
  static const struct {
    const char *word;
    int advice;
  } known[] = {
      {"dontneed", MADV_DONTNEED},
      {"pageout", MADV_PAGEOUT},
      {"dontfork", MADV_DONTFORK},
      {"dofork", MADV_DOFORK},
      {"wipeonfork", MADV_WIPEONFORK},
      {"keeponfork", MADV_KEEPONFORK},
      {"free", MADV_FREE},
      {"cold", MADV_COLD},
      {"populate-read", MADV_POPULATE_READ},
      {"populate-write", MADV_POPULATE_WRITE},
      {"collapse", MADV_COLLAPSE},
      {"guard-install", MADV_GUARD_INSTALL},
      {"guard-remove", MADV_GUARD_REMOVE},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(word, known[i].word) == 0) return known[i].advice;
  oracle_die("advice that real memory is not asked here");
}
