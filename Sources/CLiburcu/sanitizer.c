#include "sanitizer.h"

int clu_outline_is_instrumented(void) { return clu_inline_is_instrumented(); }
