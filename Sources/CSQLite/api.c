#include "CSQLite.h"

// Hidden: the extension's own, whatever else in the process has a table.
__attribute__((visibility("hidden"))) const sqlite3_api_routines *csqlite_api;
