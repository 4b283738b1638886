/* A number is compared with calling codes and prefixes as digits, not as an integer: a
 * prefix may begin with 0 (Italy's national numbers do), which an integer would lose. */
#include "engine/mobile.h"

#include <assert.h>
#include <string.h>

#include "base/digits.h"

#define BYTES_ONES UINT64_C(0x0101010101010101)

enum { CALLING_CODE_MAX = 9999999, HIDDEN_MIN = 5, HEAD_MAX = 4, TAIL_MAX = 3 };

/* Eight digits, as eight bytes are loaded, at once: pairs, then fours, then all. False: not all are
 * digits. */
static inline bool take_eight(uint64_t word, uint64_t *number)
{
    const uint64_t upper = BYTES_ONES * 0xf0, fours = UINT64_C(0x000000ff000000ff);

    if (((word & upper) | ((word + BYTES_ONES * 6) & upper) >> 4) != BYTES_ONES * 0x33)
        return false;
    word -= BYTES_ONES * '0';
    word = word * 10 + (word >> 8);
    *number = ((word & fours) * (100 + (UINT64_C(1000000) << 32)) +
               (word >> 16 & fours) * (1 + (UINT64_C(10000) << 32))) >>
              32;
    return true;
}

/* Sixteen digits with zeros in front: the last eight bytes, and what is before them. A signal has
 * nothing dearer in it than this. */
bool mobile_parse(struct text text, uint64_t *mobile)
{
    uint64_t first = BYTES_ONES * '0', last, high, low;

    if (text.size < 1 + MOBILE_DIGITS_MIN || text.size > MOBILE_TEXT_MAX || text.data[0] != '+' ||
        text.data[1] == '0')
        return false;
    memcpy(&last, text.data + text.size - sizeof last, sizeof last);
    if (text.size == sizeof last) {
        last ^= '+' ^ '0';
    } else {
        unsigned shift = 8 * (unsigned)(MOBILE_TEXT_MAX - text.size);
        memcpy(&first, text.data, sizeof first);
        first = (first ^ '+' ^ '0') << shift | (BYTES_ONES * '0' & ((UINT64_C(1) << shift) - 1));
    }
    if (!take_eight(first, &high) || !take_eight(last, &low))
        return false;
    *mobile = high * UINT64_C(100000000) + low;
    return true;
}

size_t mobile_put(char *to, uint64_t mobile)
{
    assert(mobile >= 1000000 && mobile <= UINT64_C(999999999999999));
    to[0] = '+';
    return 1 + digits_put_uint(to + 1, mobile);
}

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t mobile_put_masked(char *to, uint64_t mobile)
{
    size_t size = mobile_put(to, mobile);
    size_t shown = size - 1 - HIDDEN_MIN;
    size_t tail = lesser(shown, TAIL_MAX);
    size_t head = lesser(shown - tail, HEAD_MAX);
    memset(to + 1 + head, '*', size - 1 - head - tail);
    return size;
}

/* What follows the calling code. False: the number does not begin with it. */
static bool national_of(struct text digits, uint32_t calling_code, struct text *national)
{
    char code[DIGITS_MAX];
    assert(calling_code >= 1 && calling_code <= CALLING_CODE_MAX);
    size_t size = digits_put_uint(code, calling_code);
    if (size >= digits.size || memcmp(code, digits.data, size) != 0)
        return false;
    *national = (struct text){digits.data + size, digits.size - size};
    return true;
}

/* How many digits of the longest prefix `national` begins with. False: of none, and there are
 * some. */
static bool longest_prefix(const struct mobile_rule *rule, struct text national, size_t *longest)
{
    bool is_found = rule->prefixes_count == 0;
    *longest = 0;
    for (size_t i = 0; i < rule->prefixes_count; i++) {
        struct text prefix = rule->prefixes[i];
        if (prefix.size > national.size || prefix.size < *longest ||
            memcmp(prefix.data, national.data, prefix.size) != 0)
            continue;
        *longest = prefix.size;
        is_found = true;
    }
    return is_found;
}

/* What is best so far. */
struct candidate {
    enum mobile_match match;
    size_t digits; /* of calling code and prefix */
    size_t index;
};

static bool is_better(const struct candidate *a, const struct candidate *b)
{
    if (b->match == MOBILE_NO_COUNTRY)
        return true;
    if (a->match == MOBILE_BAD_PREFIX || b->match == MOBILE_BAD_PREFIX)
        return a->match != MOBILE_BAD_PREFIX;
    if (a->digits != b->digits)
        return a->digits > b->digits;
    return a->match == MOBILE_MATCHED && b->match == MOBILE_BAD_LENGTH;
}

static struct candidate weigh(const struct mobile_rule *rule, struct text digits,
                              struct text national, size_t index)
{
    size_t prefix;
    if (!longest_prefix(rule, national, &prefix))
        return (struct candidate){MOBILE_BAD_PREFIX, 0, index};
    bool is_length = rule->lengths == 0 || (rule->lengths >> national.size & 1) != 0;
    return (struct candidate){is_length ? MOBILE_MATCHED : MOBILE_BAD_LENGTH,
                              digits.size - national.size + prefix, index};
}

enum mobile_match mobile_match(uint64_t mobile, const struct mobile_rule *rules, size_t count,
                               size_t *found)
{
    char spelt[MOBILE_TEXT_MAX];
    struct text digits = {spelt + 1, mobile_put(spelt, mobile) - 1}, national;
    struct candidate best = {MOBILE_NO_COUNTRY, 0, 0};

    for (size_t i = 0; i < count; i++) {
        if (!national_of(digits, rules[i].calling_code, &national))
            continue;
        struct candidate candidate = weigh(&rules[i], digits, national, i);
        if (is_better(&candidate, &best))
            best = candidate;
    }
    if (best.match != MOBILE_NO_COUNTRY)
        *found = best.index;
    return best.match;
}
