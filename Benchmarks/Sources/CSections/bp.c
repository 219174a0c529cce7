#include <urcu/urcu-bp.h>
#include <urcu/static/urcu-bp.h>

#define JOIN() urcu_bp_register_thread()
#define LEAVE() ((void)0)
#define READ_LOCK() _urcu_bp_read_lock()
#define READ_UNLOCK() _urcu_bp_read_unlock()
#define SYNCHRONIZE() urcu_bp_synchronize_rcu()
#include "loops.h"

const struct section_flavour sections_bp = {"bp", "nothing", sections, grace_periods};
