/* Decimal digits. Counting them first lets them be written in place, from the end. */
#include "base/digits.h"

#include <assert.h>
#include <string.h>

static const char pairs[] = "0001020304050607080910111213141516171819"
                            "2021222324252627282930313233343536373839"
                            "4041424344454647484950515253545556575859"
                            "6061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

void digits_put_pair(char *to, unsigned value)
{
    memcpy(to, pairs + (size_t)2 * value, 2);
}

static size_t count_digits(uint64_t value)
{
    size_t count = 1;
    while (value >= 10000) {
        value /= 10000;
        count += 4;
    }
    if (value >= 1000)
        return count + 3;
    if (value >= 100)
        return count + 2;
    return value >= 10 ? count + 1 : count;
}

size_t digits_put_uint(char *to, uint64_t value)
{
    size_t size = count_digits(value);
    char *at = to + size;
    while (value >= 100) {
        at -= 2;
        digits_put_pair(at, (unsigned)(value % 100));
        value /= 100;
    }
    if (value >= 10)
        digits_put_pair(at - 2, (unsigned)value);
    else
        at[-1] = (char)('0' + value);
    return size;
}

size_t digits_put_int(char *to, int64_t value)
{
    if (value >= 0)
        return digits_put_uint(to, (uint64_t)value);
    to[0] = '-';
    return 1 + digits_put_uint(to + 1, 0 - (uint64_t)value);
}

size_t digits_put_decimal(char *to, int64_t value, int decimals)
{
    assert(decimals >= 0 && decimals <= DIGITS_DECIMALS_MAX);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t unit = 1;
    for (int i = 0; i < decimals; i++)
        unit *= 10;
    char *at = to;
    if (value < 0)
        *at++ = '-';
    at += digits_put_uint(at, rest / unit);
    rest %= unit;
    if (rest != 0)
        *at++ = '.';
    /* cppcheck-suppress zerodivcond ; unit is a power of ten, above 1 here */
    while (unit > 1 && rest > 0) {
        unit /= 10;
        *at++ = (char)('0' + rest / unit);
        rest %= unit;
    }
    return (size_t)(at - to);
}
