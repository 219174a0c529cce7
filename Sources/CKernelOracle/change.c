// Reads the statements that change mappings.
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "oracle.h"

static bool is(const char *word, const char *text) { return strcmp(word, text) == 0; }

bool is_change(const char *verb) {
  static const char *const verbs[] = {"map", "unmap", "protect", "advise", "seal", "remap", "lock", "unlock"};
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (is(verb, verbs[i])) return true;
  return false;
}

static bool parse_map(char **word, find_file *find_file, struct request *request) {
  if (!word[5] || !word[6]) oracle_die("a map is too short");
  int flags = MAP_FIXED | (is(word[5], "shared") ? MAP_SHARED : MAP_PRIVATE);
  int fd = -1;
  // A kernel that is asked for huge pages of a disk file reads it into frames of several pages: see `write_bytes`.
  bool is_on_disk = false;
  if (is(word[6], "anon")) {
    flags |= MAP_ANONYMOUS;
  } else if (strncmp(word[6], "file:", 5) == 0 || strncmp(word[6], "pfn:", 4) == 0) {
    fd = find_file(strchr(word[6], ':') + 1, &is_on_disk);
    if (fd < 0) return false;
  } else if (is(word[6], "secret")) {
    fd = secret_fd;
  } else {
    oracle_die("a backing that real memory does not have here");
  }
  // Options may follow an offset.
  bool huge = false;
  uint64_t offset = 0;
  for (char **rest = word + 7; *rest; rest++) {
    if (is(*rest, "huge")) huge = !is_on_disk;
    else if (is(*rest, "noreplace")) flags |= MAP_FIXED_NOREPLACE;
    else offset = parse_number(*rest) * page_size;
  }
  request->operation = op_map;
  request->number[2] = (uint64_t)parse_protection(word[4]);
  request->number[3] = (uint64_t)flags;
  request->number[4] = (uint64_t)fd;
  request->number[5] = offset;
  request->number[6] = huge;
  return true;
}

bool parse_change(char **word, find_file *find_file, struct request *request) {
  *request = (struct request){.number = {parse_number(word[2]), parse_number(word[3]) * page_size}};
  switch (word[0][0]) {
    case 'm':
      return parse_map(word, find_file, request);
    case 'u':
      request->operation = is(word[0], "unlock") ? op_unlock : op_unmap;
      return true;
    case 'p':
      request->operation = op_protect;
      request->number[2] = (uint64_t)parse_protection(word[4]);
      return true;
    case 'l':
      request->operation = op_lock;
      return true;
    case 's':
      request->operation = op_seal;
      return true;
    case 'a':
      request->operation = op_advise;
      request->number[2] = (uint64_t)parse_advice(word[4]);
      return true;
    default:
      request->operation = op_remap;
      request->number[2] = parse_number(word[4]);
      request->number[3] = parse_number(word[5]) * page_size;
      request->number[4] = word[6] && is(word[6], "dontunmap");
      return true;
  }
}
