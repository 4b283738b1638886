/* Numbers, in integers only: no double lies between what is written and what comes out. A whole
 * number is its value; of any other the digits are kept and read again if somebody wants it, in the
 * units wanted. What is hard: zeros and exponents of any length, which must neither overflow nor
 * take long. */
#include "json/number.h"

#include "json/reading.h"

enum {
    DIGITS_SURE = 18, /* so many always fit int64_t, and one more fits uint64_t */
};

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char *read_digits(struct json_reading *r, char *at)
{
    if (!is_digit(*at))
        return json_refuse_here(r, at);
    while (is_digit(*at))
        at++;
    return at;
}

static inline bool is_exponent(char c)
{
    return c == 'e' || c == 'E';
}

/* What may stand behind the whole part. */
static char *read_fraction(struct json_reading *r, char *at)
{
    if (*at == '.') {
        at = read_digits(r, at + 1);
        if (at == NULL)
            return NULL;
    }
    if (is_exponent(*at)) {
        at++;
        if (*at == '+' || *at == '-')
            at++;
        return read_digits(r, at);
    }
    return at;
}

static char *keep_fraction(struct json_value *value, const char *from, char *end)
{
    if (end != NULL) {
        value->type = JSON_TYPE_FRACTION;
        value->of.text = from;
        value->size = (uint32_t)(end - from);
    }
    return end;
}

char *json_read_number(struct json_reading *r, char *at, struct json_value *value)
{
    const char *from = at;
    bool is_negative = *at == '-';
    uint64_t whole = 0;
    at += is_negative;
    const char *first = at;
    for (; is_digit(*at); at++)
        whole = whole * 10 + (uint64_t)(*at - '0'); /* may wrap: then it is not used */
    size_t count = (size_t)(at - first);
    if (count == 0)
        return json_refuse_here(r, at);
    if (*first == '0' && count > 1)
        return json_refuse(r, first, "leading zero");
    if (*at == '.' || is_exponent(*at))
        return keep_fraction(value, from, read_fraction(r, at));
    if (*first == '0' && is_negative)
        return keep_fraction(value, from, at);
    bool fits = count <= DIGITS_SURE ||
                (count == DIGITS_SURE + 1 && whole <= (uint64_t)INT64_MAX + is_negative);
    value->type = fits ? JSON_TYPE_INTEGER : JSON_TYPE_TOO_LARGE;
    value->of.integer = fits ? (int64_t)(is_negative ? 0 - whole : whole) : 0;
    return at;
}

/* A fraction as it was written: digits, with a point somewhere among them, from `at` to `end`. */
struct written {
    const char *at;
    const char *end;
    bool is_negative;
    int64_t before_point; /* digits, the exponent counted in */
};

/* The exponent at `at`, or 0; one beyond all numbers of digits that a text can have is cut. */
static int64_t exponent_of(const char *at, const char *end)
{
    const int64_t enough = INT64_C(1) << 40;
    int64_t exponent = 0;
    if (at == end)
        return 0;
    at++;
    bool is_negative = *at == '-';
    at += is_negative || *at == '+';
    for (; at != end; at++) {
        if (exponent < enough)
            exponent = exponent * 10 + (*at - '0');
    }
    return is_negative ? -exponent : exponent;
}

static struct written written_of(const struct json_value *value)
{
    const char *at = value->of.text, *end = at + value->size;
    struct written written = {.is_negative = *at == '-'};
    written.at = at += written.is_negative;
    while (at != end && is_digit(*at))
        at++;
    written.before_point = at - written.at;
    while (at != end && !is_exponent(*at))
        at++;
    written.end = at;
    written.before_point += exponent_of(at, end);
    return written;
}

static bool append_digit(uint64_t *sum, unsigned digit)
{
    const uint64_t max = (uint64_t)1 << 63;
    if (*sum > (max - digit) / 10)
        return false;
    *sum = *sum * 10 + digit;
    return true;
}

/* The first `wanted` digits, as if zeros without end stood behind the last one, and rounded by the
 * digit behind them. */
static bool take_digits(struct written written, int64_t wanted, uint64_t *sum)
{
    *sum = 0;
    for (; written.at != written.end && wanted > 0; written.at++) {
        if (*written.at == '.')
            continue;
        if (!append_digit(sum, (unsigned)(*written.at - '0')))
            return false;
        wanted--;
    }
    for (; wanted > 0 && *sum != 0; wanted--) {
        if (!append_digit(sum, 0))
            return false;
    }
    if (written.at != written.end && *written.at == '.')
        written.at++;
    if (wanted == 0 && written.at != written.end && *written.at >= '5')
        (*sum)++;
    return true;
}

bool json_number_scale(const struct json_value *value, int decimals, int64_t *units)
{
    int64_t unit = 1;
    if (value->type == JSON_TYPE_INTEGER) {
        for (int i = 0; i < decimals; i++)
            unit *= 10;
        return !__builtin_mul_overflow(value->of.integer, unit, units);
    }
    if (value->type != JSON_TYPE_FRACTION)
        return false;
    struct written written = written_of(value);
    uint64_t sum;
    if (!take_digits(written, written.before_point + decimals, &sum) ||
        sum > (uint64_t)INT64_MAX + written.is_negative)
        return false;
    *units = (int64_t)(written.is_negative ? 0 - sum : sum);
    return true;
}
