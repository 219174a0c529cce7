#include "reclaim_scope.h"

__thread int cp_reclaim_refusals __attribute__((tls_model("initial-exec")));
__thread int cp_reclaim_depth __attribute__((tls_model("initial-exec")));
