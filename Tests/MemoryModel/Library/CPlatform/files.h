// In place of files: memory, which every execution finds as the first one did.
#ifndef MM_FILES_H
#define MM_FILES_H

#include <stddef.h>

/// The number of a new, empty file.
int mm_new_file(void);
/// Lets `at` show a part of a file: what was written there before, and what is written later.
void mm_map_file(int file, void *at, size_t offset, size_t bytes);

#endif
