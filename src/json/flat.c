/* One pass, no allocation. The text is not ended by a NUL; instead the last byte must be the
 * object's own brace, which ends every loop that does not look for a quote. */
#include "json/flat.h"

#include <assert.h>

#include "json/plain.h"

enum {
    DIGITS_SURE = 18, /* so many fit int64_t */
    STEP = 16,
};

struct line {
    const char *begin, *end;
    const struct json_flat *flat;
    char *target;
    uint64_t given;
};

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static inline const char *skip_space(const char *at)
{
    if (__builtin_expect((unsigned char)*at <= ' ', 0)) {
        while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
            at++;
    }
    return at;
}

/* The first byte from `at` on that is no plain part of a text; `end` if all are. */
static inline const char *skip_plain_bytes(const char *at, const char *end)
{
    while (at != end && *at >= ' ' && *at != '"' && *at != '\\' && (unsigned char)*at < 0x80)
        at++;
    return at;
}

#ifdef __SSE2__
/* Bit i: byte i is no plain part of a text. */
static inline uint32_t marks_at(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i found = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')),
                                 _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                              _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
    return (uint32_t)_mm_movemask_epi8(found);
}

/* Near the end the last sixteen bytes are looked at, those before `at` shifted out. */
static inline const char *skip_plain(const struct line *line, const char *at)
{
    uint32_t marks;

    for (; line->end - at >= STEP; at += STEP) {
        marks = marks_at(at);
        if (marks != 0)
            return at + __builtin_ctz(marks);
    }
    if (line->end - line->begin < STEP)
        return skip_plain_bytes(at, line->end);
    marks = marks_at(line->end - STEP) >> (STEP - (line->end - at));
    return marks != 0 ? at + __builtin_ctz(marks) : line->end;
}
#else
static inline const char *skip_plain(const struct line *line, const char *at)
{
    return skip_plain_bytes(at, line->end);
}
#endif

/* NULL in all that follow: not plain, or wrong. */

static inline const char *take_text(const struct line *line, const struct json_field *field,
                                    const char *at)
{
    struct json_text text = {at + 1, 0};

    if (*at != '"')
        return NULL;
    at = skip_plain(line, at + 1);
    if (at == line->end || *at != '"')
        return NULL;
    text.size = (size_t)(at - text.data);
    if ((field->min != 0 || field->max != 0) &&
        ((int64_t)text.size < field->min || (int64_t)text.size > field->max))
        return NULL;
    if (field->check != NULL && !field->check(text.data, text.size))
        return NULL;
    memcpy(line->target + field->offset, &text, sizeof text);
    return at + 1;
}

/* What stands behind the point, in units of 10^-decimals: added to `*number`. */
static inline const char *take_fraction(const char *at, int decimals, int64_t *number)
{
    if (!is_digit(*at))
        return NULL;
    for (; decimals > 0 && is_digit(*at); decimals--)
        *number = *number * 10 + (*at++ - '0');
    for (; decimals > 0; decimals--)
        *number *= 10;
    if (is_digit(*at))
        *number += *at++ >= '5';
    while (is_digit(*at))
        at++;
    return at;
}

static inline const char *take_number(const struct line *line, const struct json_field *field,
                                      const char *at)
{
    bool is_negative = *at == '-';
    int decimals = field->kind == JSON_DECIMAL ? field->decimals : 0;
    int64_t number = 0;
    const char *first = at += is_negative;

    for (; is_digit(*at) && at - first < DIGITS_SURE; at++)
        number = number * 10 + (*at - '0');
    if (at == first || is_digit(*at) || at - first + decimals > DIGITS_SURE)
        return NULL;
    if (*first == '0' && (at - first > 1 || (is_negative && *at != '.')))
        return NULL;
    if (*at == '.' && field->kind == JSON_DECIMAL) {
        at = take_fraction(at + 1, decimals, &number);
        if (at == NULL)
            return NULL;
    } else {
        for (; decimals > 0; decimals--)
            number *= 10;
    }
    number = is_negative ? -number : number;
    if ((field->min != 0 || field->max != 0) && (number < field->min || number > field->max))
        return NULL;
    memcpy(line->target + field->offset, &number, sizeof number);
    return at;
}

static bool is_name_near_end(const char *at, const char *end, const char *name)
{
    size_t size = strlen(name);

    return (size_t)(end - at) > size && memcmp(at, name, size) == 0 && at[size] == '"';
}

/* The field whose name and closing quote stand at `at`, looked for from `hint` on and around; the
 * number of fields if there is none. */
static inline size_t find_field(const struct line *line, const char *at, size_t hint)
{
    const struct json_flat *flat = line->flat;
    size_t i = hint < flat->field_count ? hint : 0;
    bool is_near_end = line->end - at < 8;
    uint64_t word = is_near_end ? 0 : json_load(at);

    for (size_t left = flat->field_count; left > 0; left--) {
        if (is_near_end ? is_name_near_end(at, line->end, flat->fields[i].name)
                        : (word & flat->names[i].mask) == flat->names[i].word)
            return i;
        i = i + 1 == flat->field_count ? 0 : i + 1;
    }
    return flat->field_count;
}

/* A member, whose field is most likely `*hint`. Returns the place behind it. */
static inline const char *take_member(struct line *line, const char *at, size_t *hint)
{
    if (*at != '"')
        return NULL;
    size_t i = find_field(line, at + 1, *hint);
    if (i == line->flat->field_count || (line->given >> i & 1) != 0)
        return NULL;
    const struct json_field *field = &line->flat->fields[i];
    at = skip_space(at + 1 + line->flat->names[i].size);
    if (*at != ':')
        return NULL;
    at = skip_space(at + 1);
    line->given |= UINT64_C(1) << i;
    *hint = i + 1;
    if (field->kind == JSON_TEXT)
        return take_text(line, field, at);
    if (field->kind == JSON_INT || field->kind == JSON_DECIMAL)
        return take_number(line, field, at);
    return NULL;
}

void json_flat_init(struct json_flat *flat, const struct json_field *fields, size_t field_count)
{
    assert(field_count <= JSON_FLAT_FIELDS_MAX);
    *flat = (struct json_flat){.fields = fields, .field_count = field_count};
    for (size_t i = 0; i < field_count; i++) {
        size_t size = strlen(fields[i].name);
        assert(size <= JSON_FLAT_NAME_MAX);
        memcpy(&flat->names[i].word, fields[i].name, size);
        memcpy((char *)&flat->names[i].word + size, "\"", 1);
        memset(&flat->names[i].mask, 0xff, size + 1);
        flat->names[i].size = size + 1;
        flat->required |= (uint64_t)fields[i].is_required << i;
    }
}

bool json_flat_read(const struct json_flat *flat, const char *text, size_t size, void *target,
                    uint64_t *given)
{
    struct line line = {text, text + size, flat, target, 0};
    size_t hint = 0;
    const char *at = text;

    if (size < 2 || *at != '{' || text[size - 1] != '}')
        return false;
    do {
        at = take_member(&line, skip_space(at + 1), &hint);
        if (at == NULL || at == line.end)
            return false;
        at = skip_space(at);
    } while (*at == ',');
    *given = line.given;
    return at == line.end - 1 && (flat->required & ~line.given) == 0;
}
