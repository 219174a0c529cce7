#include "release_scope.h"

__thread struct cp_release_scope *cp_innermost_release_scope __attribute__((tls_model("initial-exec")));
