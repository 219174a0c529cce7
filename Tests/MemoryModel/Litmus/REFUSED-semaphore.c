// A call that blocks and is not modelled would stop all threads. The program is not linked.
//
// refused: not modelled: sem_wait
#include "litmus.h"

#include <semaphore.h>

static sem_t semaphore;

THREAD(a) { sem_wait(&semaphore); }

TEST { RUN(a); }
