#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "fork_guard.h"
#include "thread_index.h"

__thread int cp_thread_index_plus_one __attribute__((tls_model("initial-exec")));

// A bitmap of numbers in use. Registration happens once in a thread's life, so a mutex is good enough.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static uint64_t *in_use;
static int words;
static int bound;

static void give_back(void *value) {
  int index = (int)(intptr_t)value - 1;
  pthread_mutex_lock(&lock);
  in_use[index / 64] &= ~(UINT64_C(1) << (index % 64));
  pthread_mutex_unlock(&lock);
  // A later destructor of the same thread may come back: it then takes a new number, and the destructor runs again.
  cp_thread_index_plus_one = 0;
}

static void make_key(void) {
  if (pthread_key_create(&key, give_back) != 0) abort();
}

int cp_register_thread_index(void) {
  cp_check_not_forked();
  cp_install_fork_guard();
  pthread_once(&once, make_key);
  pthread_mutex_lock(&lock);
  int word = 0;
  while (word < words && in_use[word] == UINT64_MAX) word++;
  if (word == words) {
    uint64_t *grown = realloc(in_use, sizeof(uint64_t) * (size_t)(words + 16));
    if (!grown) abort();
    for (int i = words; i < words + 16; i++) grown[i] = 0;
    in_use = grown;
    words += 16;
  }
  int bit = __builtin_ctzll(~in_use[word]);
  in_use[word] |= UINT64_C(1) << bit;
  int index = word * 64 + bit;
  if (index >= bound) __atomic_store_n(&bound, index + 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&lock);
  cp_thread_index_plus_one = index + 1;
  pthread_setspecific(key, (void *)(intptr_t)(index + 1));
  return index;
}

int cp_thread_index_bound(void) { return __atomic_load_n(&bound, __ATOMIC_SEQ_CST); }
