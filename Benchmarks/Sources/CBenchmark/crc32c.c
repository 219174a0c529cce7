// CRC32C. Three strands of the crc32 instruction run side by side, because one has a latency of three cycles and can
// start every cycle; their results are joined by the linear operator that appends zero bytes.
#include "CBenchmark.h"

#include <string.h>

#define POLYNOMIAL 0x82f63b78u

/// Bytes in each of three strands: three long ones leave 12 bytes of the 4092 of a page that are summed, three short
/// ones are a record of the log.
#define LONG_STRAND 1360
#define SHORT_STRAND 168

static uint32_t byte_table[256];
static uint32_t long_table[4][256];
static uint32_t short_table[4][256];
static int has_instruction;

static uint32_t table_update(uint32_t state, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++)
    state = (state >> 8) ^ byte_table[(state ^ bytes[i]) & 0xff];
  return state;
}

/// What appending `length` zero bytes makes of each byte of a state.
static void make_strand_table(uint32_t table[4][256], size_t length) {
  static const uint8_t zeros[LONG_STRAND];
  for (int bit = 0; bit < 32; bit++) {
    uint32_t moved = table_update(1u << bit, zeros, length);
    for (int value = 0; value < 256; value++)
      if (value & (1 << (bit & 7)))
        table[bit >> 3][value] ^= moved;
  }
}

__attribute__((constructor)) static void make_tables(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t state = byte;
    for (int bit = 0; bit < 8; bit++)
      state = (state >> 1) ^ ((state & 1) ? POLYNOMIAL : 0);
    byte_table[byte] = state;
  }
  make_strand_table(long_table, LONG_STRAND);
  make_strand_table(short_table, SHORT_STRAND);
#if defined(__x86_64__)
  has_instruction = __builtin_cpu_supports("sse4.2") != 0;
#endif
}

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t count) {
  return ~table_update(~crc, bytes, count);
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static uint32_t append_zeros(uint32_t state, uint32_t table[4][256]) {
  return table[0][state & 0xff] ^ table[1][(state >> 8) & 0xff] ^ table[2][(state >> 16) & 0xff] ^ table[3][state >> 24];
}

static inline uint64_t word_at(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  return word;
}

__attribute__((target("sse4.2"), always_inline)) static inline uint32_t
three_strands(uint32_t state, const uint8_t *bytes, size_t length, uint32_t table[4][256]) {
  uint64_t first = state, second = 0, third = 0;
  for (size_t i = 0; i < length; i += 8) {
    first = _mm_crc32_u64(first, word_at(bytes + i));
    second = _mm_crc32_u64(second, word_at(bytes + length + i));
    third = _mm_crc32_u64(third, word_at(bytes + 2 * length + i));
  }
  return append_zeros(append_zeros((uint32_t)first, table) ^ (uint32_t)second, table) ^ (uint32_t)third;
}

__attribute__((target("sse4.2"))) static uint32_t instruction_update(uint32_t state, const uint8_t *bytes, size_t count) {
  for (; count >= 3 * LONG_STRAND; bytes += 3 * LONG_STRAND, count -= 3 * LONG_STRAND)
    state = three_strands(state, bytes, LONG_STRAND, long_table);
  for (; count >= 3 * SHORT_STRAND; bytes += 3 * SHORT_STRAND, count -= 3 * SHORT_STRAND)
    state = three_strands(state, bytes, SHORT_STRAND, short_table);
  for (; count >= 8; bytes += 8, count -= 8)
    state = (uint32_t)_mm_crc32_u64(state, word_at(bytes));
  for (; count > 0; bytes++, count--)
    state = _mm_crc32_u8(state, *bytes);
  return state;
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t count) {
#if defined(__x86_64__)
  if (has_instruction)
    return ~instruction_update(~crc, bytes, count);
#endif
  return crc32c_portable(crc, bytes, count);
}

const char *crc32c_implementation(void) { return has_instruction ? "sse4.2" : "table"; }
