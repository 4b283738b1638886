/* Numbers and their names. Everything smsd names has a 64-bit number: milliseconds since
 * 2020-01-01T00:00:00Z in the upper 44 bits, a counter in the lower 20, never the same twice and
 * never smaller than one given before, also when the clock steps back. Its text is a prefix and 13
 * characters of Crockford's base 32 in lower case, so that texts sort as numbers do:
 * "chg_07xk3m0p9e002". */
#ifndef SMSD_BASE_ID_H
#define SMSD_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ID_DIGITS = 13,
    ID_PREFIX_MAX = 4, /* "chg_" */
    ID_TEXT_MAX = ID_PREFIX_MAX + ID_DIGITS,
};

#define ID_EPOCH_MS     INT64_C(1577836800000) /* 2020-01-01T00:00:00Z in Unix time */
#define ID_COUNTER_BITS 20

/* The next number after `previous` at Unix time `now_ms` (not before ID_EPOCH_MS). */
uint64_t id_next(uint64_t previous, int64_t now_ms);
/* The Unix time in milliseconds that lies in the number. */
int64_t id_time_ms(uint64_t number);
/* The smallest number of that millisecond: for ranges by time. Clamped at both ends. */
uint64_t id_at(int64_t time_ms);
/* The UTC day that lies in the number, counted from 1970-01-01; and the smallest number of a day,
 * clamped likewise. */
uint32_t id_day(uint64_t number);
uint64_t id_of_day(int64_t day);

/* Writes prefix and digits to `to` (no NUL) and returns the length. */
size_t id_format(char *to, const char *prefix, uint64_t number);
/* False unless `text` is exactly that prefix and 13 lower-case digits of a 64-bit number. */
bool id_parse(const char *text, size_t size, const char *prefix, uint64_t *number);

#endif
