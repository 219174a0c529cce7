// C that Swift inlines or calls: RCU sections, thread numbers, futexes, racy copies, lost pages, direct I/O, what
// sanitizers and forked children need.
#ifndef CPLATFORM_H
#define CPLATFORM_H

#include "rcu.h"
#include "long_sections.h"
#include "fork_guard.h"
#include "reclaim_scope.h"
#include "release_scope.h"
#include "sanitizer.h"
#include "service_thread.h"
#include "thread_index.h"
#include "pin_slots.h"
#include "futex.h"
#include "racy_copy.h"
#include "descriptor.h"
#include "memory.h"
#include "direct_file.h"
#include "store_calls.h"
#include "io_ring.h"
#include "memory_failure.h"

#endif
