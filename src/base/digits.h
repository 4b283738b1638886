/* Decimal digits of integers, exact over the whole range, without printf and its locale: two digits
 * at a time from a table. */
#ifndef SMSD_BASE_DIGITS_H
#define SMSD_BASE_DIGITS_H

#include <stddef.h>
#include <stdint.h>

enum { DIGITS_MAX = 20 }; /* "-9223372036854775808", "18446744073709551615" */

/* Both write without a NUL and return the length, at most DIGITS_MAX. */
size_t digits_put_uint(char *to, uint64_t value);
size_t digits_put_int(char *to, int64_t value);

/* Exactly two digits; `value` below 100. */
void digits_put_pair(char *to, unsigned value);

#endif
