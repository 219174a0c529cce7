#ifndef CBENCHMARK_H
#define CBENCHMARK_H

#include <stddef.h>
#include <stdint.h>

/// CRC32C (Castagnoli) of `count` bytes, continuing from `crc` (0 to start). The processor's own instruction where it
/// has one, a table elsewhere; `crc32c_portable` is always the table.
uint32_t crc32c(uint32_t crc, const void *bytes, size_t count);
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t count);

/// The name of the code behind `crc32c`: "sse4.2" or "table".
const char *crc32c_implementation(void);

/// `O_DIRECT`, which Swift's view of <fcntl.h> hides.
int direct_io_flag(void);

/// The name of an errno value ("ENOENT") and the sentence that goes with it. Safe in any thread.
const char *errno_name(int code);
const char *errno_description(int code);

/// Binds the calling thread to one processor, counted among those that the process may use. 0, or an errno value.
int run_on_processor(int index);

/// How many processors the process may use.
int usable_processors(void);

/// Forks the process and ends the child at once. Returns the nanoseconds until `fork` returned in the parent, 0 where
/// it failed.
uint64_t time_fork(void);

/// Writes what is dirty in a range of a file, and returns when it is written (`sync_file_range`). 0, or an errno value.
int write_back_file_range(int file, int64_t offset, int64_t bytes);

/// Takes a range of a mapping out of memory, the kernel's page cache included, as far as its pages are clean
/// (`MADV_PAGEOUT`). 0, or an errno value.
int page_out(void *start, size_t bytes);

/// Whether each page of a range of a mapping is in memory: the lowest bit of its byte (`mincore`). 0, or an errno
/// value.
int resident_pages(void *start, size_t bytes, unsigned char *flags);

/// Processor time of all threads of the process, in nanoseconds.
uint64_t process_time(void);

/// Faults of this process for which the kernel read from a disk.
uint64_t major_faults(void);

/// Gives memory that was freed back to the kernel, so that the resident size tells what is in use.
void give_back_free_memory(void);

#endif
