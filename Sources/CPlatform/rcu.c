#include "fork_guard.h"
#include "long_sections.h"
#include "rcu.h"

void cp_register_reader(void) {
  cp_check_not_forked();
  cp_install_fork_guard();
  urcu_bp_register();
  cp_list_reader();
}
