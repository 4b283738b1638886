/* Decimal digits of integers, exact over the whole range, without printf and its locale: two digits
 * at a time from a table. */
#ifndef SMSD_BASE_DIGITS_H
#define SMSD_BASE_DIGITS_H

#include <stddef.h>
#include <stdint.h>

enum {
    DIGITS_MAX = 20,         /* "-9223372036854775808", "18446744073709551615" */
    DIGITS_DECIMAL_MAX = 22, /* "-9223372036854775.808", "-0.000000000000000001" */
    DIGITS_DECIMALS_MAX = 18,
};

/* Both write without a NUL and return the length, at most DIGITS_MAX. */
size_t digits_put_uint(char *to, uint64_t value);
size_t digits_put_int(char *to, int64_t value);

/* `value` in units of 10^-decimals as a decimal number, without trailing zeros: 1500 with 3 is
 * "1.5". `decimals` at most DIGITS_DECIMALS_MAX; writes at most DIGITS_DECIMAL_MAX bytes. */
size_t digits_put_decimal(char *to, int64_t value, int decimals);

/* Exactly two digits; `value` below 100. */
void digits_put_pair(char *to, unsigned value);

#endif
