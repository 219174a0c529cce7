// liburcu's "bulletproof" flavour: readers register themselves, from any thread.
#include <urcu/urcu-bp.h>
#include <urcu/static/urcu-bp.h>
