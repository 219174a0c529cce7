// Linked into SQLite's `testfixture`: makes the extension's VFS the default one whenever SQLite starts
// (SQLITE_EXTRA_INIT).
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
  // A connection has the table of functions that an extension is given. Where memory fails here, as tests have it,
  // SQLite does not start.
  sqlite3 *database = NULL;
  int code = sqlite3_auto_extension((void (*)(void))begin);
  if (code == SQLITE_OK)
    code = sqlite3_open(":memory:", &database) == SQLITE_OK ? SQLITE_OK : SQLITE_NOMEM;
  sqlite3_close(database);
  // With its list, which tests would find in the count of what SQLite has allocated.
  sqlite3_reset_auto_extension();
  return code;
}
