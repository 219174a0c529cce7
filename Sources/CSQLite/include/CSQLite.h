/// What an extension needs of SQLite's C interface and Swift cannot see: functions of the table that SQLite hands to an
/// extension, and the place of one file object behind another.
#ifndef CSQLITE_H
#define CSQLITE_H

#include <sqlite3ext.h>
#include <stddef.h>

/// A lock by `fcntl(2)` that is the open file's and not the process's (`F_OFD_SETLK`, which needs `_GNU_SOURCE`).
enum { csqlite_ofd_setlk = 37 };

/// The table of the SQLite that loaded the extension. Set once, before any other function of this header is called.
extern const sqlite3_api_routines *csqlite_api;

/// The file object that SQLite allocates for the extension: the connection's state, and behind it the default VFS's own
/// object.
typedef struct csqlite_file {
  sqlite3_file base;
  void *connection;
} csqlite_file;

/// Where the default VFS's object lies in `file`.
static inline sqlite3_file *csqlite_inner_file(sqlite3_file *file) { return (sqlite3_file *)((csqlite_file *)file + 1); }

static inline void csqlite_begin(const sqlite3_api_routines *api) { csqlite_api = api; }

/// The VFS of this name, or the default one for NULL.
static inline sqlite3_vfs *csqlite_find_vfs(const char *name) { return csqlite_api->vfs_find(name); }

static inline int csqlite_register(sqlite3_vfs *vfs) { return csqlite_api->vfs_register(vfs, 0); }

/// The value of a parameter of a database's URI; NULL if it is not there. `name` is what `xOpen` got.
static inline const char *csqlite_uri_parameter(const char *name, const char *parameter) {
  return csqlite_api->uri_parameter(name, parameter);
}

/// A parameter that is yes or no; no if it is not there.
static inline int csqlite_uri_boolean(const char *name, const char *parameter) {
  return csqlite_api->uri_boolean(name, parameter, 0);
}

/// A copy of `text` that SQLite frees.
static inline char *csqlite_copy(const char *text) { return csqlite_api->mprintf("%s", text); }

/// The text of the VFS's name, with the one below it, which is freed.
static inline char *csqlite_stacked_name(const char *name, char *below) {
  return csqlite_api->mprintf("%s/%z", name, below);
}

/// Tells the program's log (`sqlite3_config` with `SQLITE_CONFIG_LOG`).
static inline void csqlite_log(int code, const char *message) { csqlite_api->log(code, "userpages: %s", message); }

/// The mutex under which the default VFS notes which file it has opened, before it locks it.
static inline sqlite3_mutex *csqlite_vfs_mutex(void) { return csqlite_api->mutex_alloc(SQLITE_MUTEX_STATIC_VFS1); }
static inline void csqlite_enter_vfs_mutex(void) { csqlite_api->mutex_enter(csqlite_vfs_mutex()); }
static inline void csqlite_leave_vfs_mutex(void) { csqlite_api->mutex_leave(csqlite_vfs_mutex()); }

/// Whether SQLite's functions may be called by several threads (`sqlite3_threadsafe`, and not
/// `SQLITE_CONFIG_SINGLETHREAD`).
static inline int csqlite_has_mutexes(void) {
  sqlite3_mutex *mutex = csqlite_api->mutex_alloc(SQLITE_MUTEX_FAST);
  if (!mutex) return 0;
  csqlite_api->mutex_free(mutex);
  return 1;
}

/// Memory of SQLite's, zeroed or NULL.
static inline void *csqlite_allocate(size_t count) { return csqlite_api->malloc64(count); }
static inline void csqlite_free(void *memory) { csqlite_api->free(memory); }

#endif
