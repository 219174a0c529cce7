// In place of the handlers of `fork`: no program forks its process.
#include <stdlib.h>

#include "fork_guard.h"

int cp_is_forked_child;

void cp_install_fork_guard(void) {}
void cp_refuse_forked_child(void) { abort(); }
int cp_hide_from_children(void *start, size_t bytes) { return 0; }
void cp_end_hiding(void *start) {}
