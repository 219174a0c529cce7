// Thin wrappers that Swift inlines: RCU sections, sanitizer annotations, thread indices, futexes, racy copies.
#ifndef CPLATFORM_H
#define CPLATFORM_H

#include "rcu.h"
#include "sanitizer.h"
#include "thread_index.h"
#include "pin_slots.h"
#include "futex.h"
#include "racy_copy.h"
#include "memory.h"

#endif
