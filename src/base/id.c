/* Numbers and their texts. Crockford's alphabet leaves i, l, o and u out; only its lower-case
 * digits are read, so that one number has one text. 13 digits hold 65 bits: the first is at most
 * 'f'. */
#include "base/id.h"

#include <assert.h>
#include <string.h>

static const char digits[32] = "0123456789abcdefghjkmnpqrstvwxyz";

/* A digit's value plus one; 0 is none. */
static const unsigned char values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['g'] = 17, ['h'] = 18, ['j'] = 19, ['k'] = 20, ['m'] = 21, ['n'] = 22, ['p'] = 23, ['q'] = 24,
    ['r'] = 25, ['s'] = 26, ['t'] = 27, ['v'] = 28, ['w'] = 29, ['x'] = 30, ['y'] = 31, ['z'] = 32,
};

#define DAY_MS   INT64_C(86400000)
#define TIME_MAX ((INT64_C(1) << (64 - ID_COUNTER_BITS)) - 1)

uint64_t id_at(int64_t time_ms)
{
    if (time_ms <= ID_EPOCH_MS)
        return 0;
    int64_t since = time_ms - ID_EPOCH_MS;
    if (since > TIME_MAX)
        since = TIME_MAX;
    return (uint64_t)since << ID_COUNTER_BITS;
}

uint64_t id_next(uint64_t previous, int64_t now_ms)
{
    uint64_t number = id_at(now_ms);
    if (number > previous)
        return number;
    assert(previous != UINT64_MAX);
    return previous + 1;
}

int64_t id_time_ms(uint64_t number)
{
    return ID_EPOCH_MS + (int64_t)(number >> ID_COUNTER_BITS);
}

uint32_t id_day(uint64_t number)
{
    return (uint32_t)(id_time_ms(number) / DAY_MS);
}

uint64_t id_of_day(int64_t day)
{
    return id_at(day * DAY_MS);
}

size_t id_format(char *to, const char *prefix, uint64_t number)
{
    size_t prefix_size = strlen(prefix);
    assert(prefix_size <= ID_PREFIX_MAX);
    memcpy(to, prefix, prefix_size);
#pragma GCC unroll 13 /* in every reply, several times */
    for (int i = ID_DIGITS - 1; i >= 0; i--) {
        to[prefix_size + (size_t)i] = digits[number & 31];
        number >>= 5;
    }
    return prefix_size + ID_DIGITS;
}

bool id_parse(const char *text, size_t size, const char *prefix, uint64_t *number)
{
    size_t prefix_size = strlen(prefix);
    if (size != prefix_size + ID_DIGITS || memcmp(text, prefix, prefix_size) != 0)
        return false;
    const unsigned char *at = (const unsigned char *)text + prefix_size;
    if (values[at[0]] > 16)
        return false;
    uint64_t value = 0;
    for (int i = 0; i < ID_DIGITS; i++) {
        if (values[at[i]] == 0)
            return false;
        value = value << 5 | (uint64_t)(values[at[i]] - 1);
    }
    *number = value;
    return true;
}
