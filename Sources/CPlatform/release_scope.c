#include "release_scope.h"

__thread struct cp_release_scope *cp_innermost_release_scope __attribute__((tls_model("initial-exec")));
__thread void *cp_left_objects __attribute__((tls_model("initial-exec")));
