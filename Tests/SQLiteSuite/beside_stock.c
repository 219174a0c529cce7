// Linked into SQLite's `mptest`: a client with an even number uses the extension's VFS, and one with an odd number the
// default one.
//
// The program starts itself once for each client, with the same options. So the choice is made before `main` looks at
// them.
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((constructor)) static void choose_vfs(int argc, char **argv) {
  const char *extension = getenv("GUP_SQLITE_EXTENSION");
  int client = 0;
  for (int index = 1; index + 1 < argc; index++)
    if (!strcmp(argv[index], "--client"))
      client = atoi(argv[index + 1]);
  if (client % 2) {
    for (int index = 1; index < argc; index++)
      if (!strcmp(argv[index], "userpages"))
        strcpy(argv[index], "unix");
    return;
  }
  sqlite3 *database = NULL;
  char *message = NULL;
  int code = sqlite3_open(":memory:", &database);
  if (code == SQLITE_OK)
    code = sqlite3_enable_load_extension(database, 1);
  if (code == SQLITE_OK)
    code = sqlite3_load_extension(database, extension ? extension : "", NULL, &message);
  if (code != SQLITE_OK) {
    fprintf(stderr, "beside_stock: %s\n", message ? message : sqlite3_errstr(code));
    exit(1);
  }
  sqlite3_close(database);
  // `mptest` configures SQLite, which it may before the start alone. The VFS stays registered.
  sqlite3_shutdown();
}
