// The library's C face, from a shared library as a C program has it: what a pin costs on the other side of the call.
#include <dlfcn.h>
#include <stdlib.h>

#include "../../../Sources/UserPagesC/include/userpages.h"
#include "CFloor.h"
#include "table.h"

// Functions of the library, reached through pointers as a program's linkage table does.
static struct {
  int (*machine_create)(const up_machine_options *, up_machine **);
  int (*machine_destroy)(up_machine *);
  int (*machine_census)(const up_machine *, up_census *);
  int (*space_create)(up_machine *, int, up_space **);
  int (*space_destroy)(up_space *);
  int (*space_map)(up_space *, uint64_t, uint64_t, unsigned, unsigned, up_backing *, uint64_t);
  int (*space_advise)(up_space *, uint64_t, uint64_t, int);
  int (*space_pin)(up_space *, uint64_t, unsigned, up_pin *);
  int (*unpin)(up_pin *, int);
  int64_t (*space_pin_range)(up_space *, uint64_t, uint64_t, unsigned, up_pins *);
  int (*unpin_range)(up_pins *, int);
} up;

static const struct {
  void *place;
  const char *name;
} functions[] = {
    {&up.machine_create, "up_machine_create"},   {&up.machine_destroy, "up_machine_destroy"},
    {&up.machine_census, "up_machine_census"},   {&up.space_create, "up_space_create"},
    {&up.space_destroy, "up_space_destroy"},     {&up.space_map, "up_space_map"},
    {&up.space_advise, "up_space_advise"},       {&up.space_pin, "up_space_pin"},
    {&up.unpin, "up_unpin"},                     {&up.space_pin_range, "up_space_pin_range"},
    {&up.unpin_range, "up_unpin_range"},
};

const char *floor_open_c_face(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return dlerror();
  for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
    void *found = dlsym(library, functions[index].name);
    if (!found)
      return dlerror();
    *(void **)functions[index].place = found;
  }
  return NULL;
}

struct face {
  up_machine *machine;
  up_space *space;
};

static void destroy(void *context) {
  struct face *face = context;
  if (face->space)
    up.space_destroy(face->space);
  if (face->machine)
    up.machine_destroy(face->machine);
  free(face);
}

static void *create(size_t pages, int engine) {
  if (!up.machine_create)
    return NULL;
  struct face *face = calloc(1, sizeof *face);
  up_machine_options options = {.ram_pages = pages + 1024};
  if (up.machine_create(&options, &face->machine) || up.space_create(face->machine, engine, &face->space) ||
      up.space_map(face->space, AREA_START, pages, UP_READ | UP_WRITE, 0, NULL, 0) ||
      up.space_advise(face->space, AREA_START, pages, UP_ADVICE_POPULATE_WRITE)) {
    destroy(face);
    return NULL;
  }
  return face;
}

static void *create_reference(size_t pages) { return create(pages, UP_ENGINE_REFERENCE); }
static void *create_slot(size_t pages) { return create(pages, UP_ENGINE_SLOT); }

static uint64_t loop(void *context, struct floor_work *work, uint64_t iterations) {
  up_space *space = ((struct face *)context)->space;
  uint64_t state = work->state, first = work->first, span = work->span, failures = 0;
  for (uint64_t i = 0; i < iterations; i++) {
    up_pin pin;
    uint64_t page = first + random_below(&state, span);
    if (__builtin_expect(up.space_pin(space, AREA_START + (page << PAGE_SHIFT), 0, &pin) != 0, 0))
      failures++;
    else
      up.unpin(&pin, 0);
  }
  work->state = state;
  return failures;
}

static uint64_t range_loop(void *context, struct floor_work *work, uint64_t iterations) {
  up_space *space = ((struct face *)context)->space;
  uint64_t failures = 0;
  for (uint64_t i = 0; i < iterations; i++) {
    up_pins pins;
    uint64_t page = work->first + random_below(&work->state, work->span - floor_range + 1);
    int64_t count = up.space_pin_range(space, AREA_START + (page << PAGE_SHIFT), floor_range, 0, &pins);
    failures += floor_range - (count > 0 ? (uint64_t)count : 0);
    if (count > 0)
      up.unpin_range(&pins, 0);
  }
  return failures;
}

static uint64_t leaks(void *context) {
  up_census census = {0};
  up.machine_census(((struct face *)context)->machine, &census);
  return census.pins;
}

const struct floor_subject floor_c_face_reference = {
    .name = "c-face-reference",
    .create = create_reference,
    .loop = loop,
    .range_loop = range_loop,
    .leaks = leaks,
    .destroy = destroy,
};

const struct floor_subject floor_c_face_slot = {
    .name = "c-face-slot",
    .create = create_slot,
    .loop = loop,
    .range_loop = range_loop,
    .leaks = leaks,
    .destroy = destroy,
};
