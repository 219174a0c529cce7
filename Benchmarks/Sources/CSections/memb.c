#include <urcu/urcu-memb.h>
#include <urcu/static/urcu-memb.h>

#define JOIN() urcu_memb_register_thread()
#define LEAVE() urcu_memb_unregister_thread()
#define READ_LOCK() _urcu_memb_read_lock()
#define READ_UNLOCK() _urcu_memb_read_unlock()
#define SYNCHRONIZE() urcu_memb_synchronize_rcu()
#include "loops.h"

const struct section_flavour sections_memb = {"memb", "to register and unregister", sections, grace_periods};
