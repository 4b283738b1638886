/* Numbers with a fraction or an exponent, in units that the caller names. For this room only. */
#ifndef SMSD_JSON_NUMBER_H
#define SMSD_JSON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

struct json_value;

/* The number `value` in units of 10^-decimals, rounded to the nearest, halves away from zero; false
 * if that does not fit. */
bool json_number_scale(const struct json_value *value, int decimals, int64_t *units);

#endif
