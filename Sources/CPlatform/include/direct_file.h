// What Swift's view of <fcntl.h> hides.
#ifndef CPLATFORM_DIRECT_FILE_H
#define CPLATFORM_DIRECT_FILE_H

/// `O_DIRECT`: transfers go between the disk and the caller's memory, not through the kernel's page cache.
int cp_direct_flag(void);
/// Gives back the blocks of a range of a file, which reads as zeroes then. Returns 0, or a negated errno.
int cp_punch_hole(int file, long offset, long bytes);

#endif
