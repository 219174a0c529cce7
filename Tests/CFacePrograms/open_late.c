// Opens the library in a process that runs already: threads that began before use it beside threads that begin later.
//
//     open_late LIBRARY
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "userpages.h"

enum { THREADS = 4, PAGES = 8, TURNS = 20000 };
static const uint64_t base = 0x10000000;

// The functions, from the library that is opened.
static struct {
  int (*machine_create)(const up_machine_options *, up_machine **);
  int (*machine_destroy)(up_machine *);
  int (*space_create)(up_machine *, int, up_space **);
  int (*space_destroy)(up_space *);
  int (*map)(up_space *, uint64_t, uint64_t, unsigned, unsigned, up_backing *, uint64_t);
  int (*pin)(up_space *, uint64_t, unsigned, up_pin *);
  int (*unpin)(up_pin *, int);
} up;

static up_space *space;
static pthread_barrier_t opened;

/// Adds to a counter of its own page through pins. Returns null if all went well.
static void *work(void *context) {
  uint64_t thread = (uint64_t)(uintptr_t)context;
  if (thread < THREADS / 2)
    pthread_barrier_wait(&opened);
  uint64_t last = 0;
  for (int turn = 0; turn < TURNS; turn++) {
    up_pin pin;
    if (up.pin(space, base + thread * UP_PAGE_SIZE, 1, &pin) != 0)
      return "a pin was refused";
    uint64_t *counter = pin.bytes;
    if (*counter != last)
      return "a store was lost";
    last = ++*counter;
    if (up.unpin(&pin, 1) != 0)
      return "an unpin was refused";
  }
  return NULL;
}

static void *function(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (!found) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return found;
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  if (argc != 2 || pthread_barrier_init(&opened, NULL, THREADS / 2 + 1) != 0)
    return 2;
  for (uintptr_t thread = 0; thread < THREADS / 2; thread++)
    pthread_create(&threads[thread], NULL, work, (void *)thread);

  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  const struct {
    void *place;
    const char *name;
  } names[] = {{&up.machine_create, "up_machine_create"}, {&up.machine_destroy, "up_machine_destroy"},
               {&up.space_create, "up_space_create"},     {&up.space_destroy, "up_space_destroy"},
               {&up.map, "up_space_map"},                 {&up.pin, "up_space_pin"},
               {&up.unpin, "up_unpin"}};
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    void *found = function(library, names[index].name);
    memcpy(names[index].place, &found, sizeof found);
  }
  up_machine *machine;
  up_machine_options options = {.ram_pages = 64};
  if (up.machine_create(&options, &machine) || up.space_create(machine, UP_ENGINE_SLOT, &space) ||
      up.map(space, base, PAGES, UP_READ | UP_WRITE, 0, NULL, 0))
    return 1;
  pthread_barrier_wait(&opened);
  for (uintptr_t thread = THREADS / 2; thread < THREADS; thread++)
    pthread_create(&threads[thread], NULL, work, (void *)thread);
  int failed = 0;
  for (int thread = 0; thread < THREADS; thread++) {
    void *problem;
    pthread_join(threads[thread], &problem);
    if (problem) {
      fprintf(stderr, "thread %d: %s\n", thread, (char *)problem);
      failed = 1;
    }
  }
  if (up.space_destroy(space) || up.machine_destroy(machine))
    failed = 1;
  // It stays all the same: the main thread calls it when it ends.
  if (dlclose(library) != 0 || !dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD))
    failed = 1;
  printf("%d threads older and %d younger than the library: %s\n", THREADS / 2, THREADS / 2, failed ? "wrong" : "right");
  return failed;
}
