#include "SanitizerProbe.h"

int gup_probe_thread_sanitizer_out_of_line(void) {
  return gup_probe_thread_sanitizer_inline();
}

int gup_probe_address_sanitizer_out_of_line(void) {
#ifdef GUP_PROBE_ADDRESS_SANITIZER
  return 1;
#else
  return 0;
#endif
}
