#ifndef CSQLITE3_H
#define CSQLITE3_H

#include <sqlite3.h>

/// Leaves out SQLite's count of its memory, for which all connections of a process would take one lock. Called before
/// any other function of SQLite. Returns SQLite's result code.
int sqlite_without_memory_count(void);

#endif
