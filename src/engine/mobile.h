/* Mobile numbers: E.164 digits as one integer, and the country that a number is of.
 *
 * "+" and 7 to 15 digits, the first not 0, is the one spelling that is taken; the integer is these
 * digits, so that equal numbers are equal integers, sort by calling code, and fit a row's key.
 *
 * A country has a calling code, and may say how many digits follow it and what these may begin
 * with. Two countries may share a calling code (+1, +7, +44): then the prefixes decide. Rules are
 * what the catalogue says; nothing about any country is known here. */
#ifndef SMSD_ENGINE_MOBILE_H
#define SMSD_ENGINE_MOBILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum {
    MOBILE_DIGITS_MIN = 7,
    MOBILE_DIGITS_MAX = 15,
    MOBILE_TEXT_MAX = 1 + MOBILE_DIGITS_MAX,
};

/* False: not a number as above; `mobile` is left alone. */
bool mobile_parse(struct text text, uint64_t *mobile);

/* Writes "+8613812345678", without a NUL, and returns the length, at most MOBILE_TEXT_MAX. The
 * number is one that mobile_parse gave. */
size_t mobile_put(char *to, uint64_t mobile);

/* For logs (OPS-4): "+8613******678". At least five digits are hidden, of a long number all but the
 * first four and the last three; the length is that of mobile_put. */
size_t mobile_put_masked(char *to, uint64_t mobile);

/* Of one country, as its row in the catalogue says. */
struct mobile_rule {
    uint32_t calling_code;       /* 1 to 9999999: 86 for China, 1 for the USA, 1242 would do, too */
    uint32_t lengths;            /* bit n is set: n digits may follow the calling code; 0: any */
    const struct text *prefixes; /* what these digits may begin with, digits each */
    size_t prefixes_count;       /* 0: anything */
};

enum mobile_match {
    MOBILE_MATCHED = 0,
    MOBILE_NO_COUNTRY, /* no rule has a calling code that the number begins with */
    MOBILE_BAD_PREFIX, /* but none of these takes what follows it */
    MOBILE_BAD_LENGTH, /* it is the country's, and too long or too short */
};

/* Finds the rule that the number is of. The one with the longest calling code and prefix together
 * wins (a rule without prefixes has the calling code alone): KZ with prefixes 6 and 7 takes +77…
 * from RU without any, which keeps the rest. Where two are equally long, the one that allows the
 * number's length, then the first. `found`: its index; not set for MOBILE_NO_COUNTRY; for
 * MOBILE_BAD_PREFIX the first rule whose calling code fits. */
enum mobile_match mobile_match(uint64_t mobile, const struct mobile_rule *rules, size_t count,
                               size_t *found);

#endif
