#include "store_calls.h"

__thread void *cp_innermost_store_call __attribute__((tls_model("initial-exec")));
