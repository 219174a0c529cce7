#include "sanitizer.h"

int cp_outline_is_instrumented(void) { return cp_inline_is_instrumented(); }
