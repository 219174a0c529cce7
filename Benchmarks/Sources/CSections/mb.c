#include <urcu/urcu-mb.h>
#include <urcu/static/urcu-mb.h>

#define JOIN() urcu_mb_register_thread()
#define LEAVE() urcu_mb_unregister_thread()
#define READ_LOCK() _urcu_mb_read_lock()
#define READ_UNLOCK() _urcu_mb_read_unlock()
#define SYNCHRONIZE() urcu_mb_synchronize_rcu()
#include "loops.h"

const struct section_flavour sections_mb = {"mb", "to register and unregister", sections, grace_periods};
