#include <urcu/urcu-qsbr.h>
#include <urcu/static/urcu-qsbr.h>

#define JOIN() urcu_qsbr_register_thread()
#define LEAVE() urcu_qsbr_unregister_thread()
#define READ_LOCK() _urcu_qsbr_read_lock()
// A section's end means nothing here: the reader says now and then that it is in none, and before it sleeps.
#define READ_UNLOCK() (_urcu_qsbr_read_unlock(), _urcu_qsbr_quiescent_state())
#define SYNCHRONIZE() urcu_qsbr_synchronize_rcu()
#include "loops.h"

const struct section_flavour sections_qsbr = {
    "qsbr", "to register, to say when it is in none, and to go offline before it sleeps", sections, grace_periods};
