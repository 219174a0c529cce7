// Where the library's own descriptors lie.
#ifndef CPLATFORM_DESCRIPTOR_H
#define CPLATFORM_DESCRIPTOR_H

/// The same open file behind a descriptor above those of the standard streams. The argument is closed, unless it is
/// such a descriptor, or negative, and then is the result. A negative result leaves an errno.
///
/// A program may have closed a standard stream, and the kernel gives the lowest number that is free. What the program
/// prints must not go to its memory, its database or its swap file.
int cp_above_standard(int descriptor);

#endif
