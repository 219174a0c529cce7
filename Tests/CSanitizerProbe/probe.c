#include "SanitizerProbe.h"

int gup_probe_thread_sanitizer_out_of_line(void) {
  return gup_probe_thread_sanitizer_inline();
}
