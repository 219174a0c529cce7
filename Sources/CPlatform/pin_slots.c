#include "pin_slots.h"

uint64_t cp_pin_slots[cp_slot_threads][cp_slots_per_thread] __attribute__((aligned(128)));
void *cp_pin_lists[cp_slot_threads][cp_slots_per_thread];
