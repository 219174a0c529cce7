#include "pin_slots.h"

uint64_t clu_pin_slots[clu_slot_threads][clu_slots_per_thread] __attribute__((aligned(128)));
