// Linked into SQLite's `testfixture`: makes the extension's VFS the default one whenever SQLite starts (SQLITE_EXTRA_INIT).
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "sqlite3.h"

typedef int (*entry_point)(sqlite3 *, char **, const void *);

static int begin(sqlite3 *database, char **message, const void *api) {
  static entry_point entry;
  if (!entry) {
    void *library = dlopen(getenv("GUP_SQLITE_EXTENSION"), RTLD_NOW | RTLD_LOCAL);
    if (library)
      entry = (entry_point)dlsym(library, "sqlite3_extension_init");
    if (!entry) {
      fprintf(stderr, "default_vfs: %s\n", dlerror());
      exit(1);
    }
  }
  entry(database, message, api);
  sqlite3_vfs_register(sqlite3_vfs_find("userpages"), 1);
  return SQLITE_OK;
}

int gup_default_vfs(const char *unused) {
  (void)unused;
  // Without the extension it is stock SQLite, for a comparison.
  if (!getenv("GUP_SQLITE_EXTENSION"))
    return SQLITE_OK;
  // A connection has the table of functions that an extension is given.
  sqlite3 *database = NULL;
  sqlite3_auto_extension((void (*)(void))begin);
  sqlite3_open(":memory:", &database);
  sqlite3_close(database);
  sqlite3_cancel_auto_extension((void (*)(void))begin);
  return SQLITE_OK;
}
