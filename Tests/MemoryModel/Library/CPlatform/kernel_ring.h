// In place of the kernel's part in io_uring: one ring at a time, of two submissions and one completion. So the kernel
// waits for room.
#ifndef CPLATFORM_KERNEL_RING_H
#define CPLATFORM_KERNEL_RING_H

#include <linux/io_uring.h>

/// Makes the ring, and a thread of the kernel that takes what is submitted for as long as the ring is open.
int mm_ring_setup(struct io_uring_params *params);
/// A call that submits so many. Returns how many the kernel accepts.
long mm_ring_enter(unsigned submitted);

#endif
