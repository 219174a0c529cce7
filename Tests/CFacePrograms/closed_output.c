// Gives a cache a descriptor where the standard output is closed. What is printed then must not go to the file.
//
//     closed_output LIBRARY FILE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "userpages.h"

static int (*machine_create)(const up_machine_options *, up_machine **);
static int (*cache_open)(up_machine *, int, const up_cache_options *, up_backing **);
static int (*backing_destroy)(up_backing *);
static int (*machine_destroy)(up_machine *);

static const struct {
  void *place;
  const char *name;
} names[] = {{&machine_create, "up_machine_create"},
             {&cache_open, "up_cache_open_descriptor"},
             {&backing_destroy, "up_backing_destroy"},
             {&machine_destroy, "up_machine_destroy"}};

int main(int argc, char **argv) {
  void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!library)
    return 2;
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    void *found = dlsym(library, names[index].name);
    if (!found)
      return 2;
    memcpy(names[index].place, &found, sizeof found);
  }
  char before[4096], after[4096];
  memset(before, 'a', sizeof before);
  int file = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file <= STDERR_FILENO || write(file, before, sizeof before) != sizeof before)
    return 2;
  // What goes to the file, or to a copy of its descriptor, goes to its start.
  lseek(file, 0, SEEK_SET);
  close(STDOUT_FILENO);
  up_machine *machine;
  up_machine_options machine_options = {.ram_pages = 64};
  up_cache_options options = {.limit = 16};
  up_backing *backing;
  if (machine_create(&machine_options, &machine) || cache_open(machine, file, &options, &backing))
    return 2;
  printf("this is for no file\n");
  fflush(stdout);
  if (backing_destroy(backing) || machine_destroy(machine))
    return 2;
  file = open(argv[2], O_RDONLY | O_CLOEXEC);
  if (file < 0 || read(file, after, sizeof after) != sizeof after)
    return 2;
  int failed = memcmp(before, after, sizeof before) != 0;
  fprintf(stderr, "what was printed is %s the file\n", failed ? "in" : "not in");
  return failed;
}
