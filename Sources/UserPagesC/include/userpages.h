// A lockless get_user_pages for C: address spaces, pins that are plain values, a page cache over a real file, mirrors.
//
// A *machine* has RAM in frames of 4096 bytes. A *space* maps virtual pages to frames. Its program loads and stores by
// address. A device, direct I/O or another thread *pins* pages, which then stay where they are until they are unpinned.
//
// **Errors.** A function returns 0, or a count that is not negative, or a negated errno value. What it would have
// written to its out-parameters is unspecified after an error, unless its comment says otherwise.
//
//     -EINVAL  an argument that no call can honour: a null pointer, an unknown flag, an unaligned address, a handle of another
//              kind or one that has ended where that can be seen, a pin that was ended before
//     -EFAULT  no mapping there, or one that forbids the access or the pin (a program would get SIGSEGV)
//     -ENXIO   the mapping is there, what it shows is not: past the end of a file, or its disk failed (a program would get SIGBUS)
//     -ENOMEM  no frame is free and none can be taken back; or a part of the range is not mapped
//     -EAGAIN  not without what the flags exclude
//     -EBUSY   pins or handles are in the way; or a file has another user
//     -EEXIST  a mapping is there that was not to be replaced
//     -EPERM   the range is sealed
//     -EROFS   what is written to can only be read
//     -EIO     a real file was truncated, or its disk failed
//     and the errno of the system call on a real file that failed
//
// **Handles** (`up_machine`, `up_space`, `up_backing`, `up_mirror`, `up_cache_handle`) are references. The function
// that makes one gives it to the caller, which ends it once, by the function named `..._destroy`. To end one twice, or
// one of another kind, is -EINVAL as long as no new handle has the same address. Any other use of a handle that has
// ended is undefined, as for `free(3)`.
//
// **Threads.** "Threads: any" says that any thread may call at any time, also beside every other call with the same
// handle except its end. "Threads: last" says that no other call with the handle may be under way, or come later. No
// function may be called in a signal handler.
//
// **fork(2).** A child of a process that made a machine may call `exec` or `_exit`, and nothing of this library. Its
// first call of the library aborts with a message. `posix_spawn` is not affected.
//
// C++ programs include "userpages.hpp", where pins and handles end by themselves.
#ifndef USERPAGES_H
#define USERPAGES_H

#include "userpages/base.h"
#include "userpages/machine.h"
#include "userpages/backing.h"
#include "userpages/cache.h"
#include "userpages/space.h"
#include "userpages/pin.h"
#include "userpages/mirror.h"
#include "userpages/inspect.h"
#include "userpages/entries.h"

#endif
