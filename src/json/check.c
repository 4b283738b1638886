/* The strict check (RFC 8259): grammar, UTF-8, escapes, depth, names, numbers. One pass, no
 * backtracking. Nesting is by recursion, which JSON_DEPTH_MAX bounds. What is hard: a name may be
 * written in many ways
 * ("a", "\u0061"), so those with escapes are decoded before they are compared. */
#include "json/check.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "json/names.h"
#include "json/plain.h"
#include "json/read.h"

/* cJSON copies a number into 64 bytes and takes a longer one for an error. */
enum { NUMBER_BYTES_MAX = 63 };

struct check {
    const char *at;
    const char *end;
    struct arena *arena;
    const char *wrong; /* what; `at` is where */
    struct json_numbers *numbers;
    struct json_names names;
};

static bool check_value(struct check *c, int depth);

static bool refuse(struct check *c, const char *at, const char *what)
{
    c->at = at;
    c->wrong = what;
    return false;
}

static bool refuse_here(struct check *c)
{
    return refuse(c, c->at, c->at == c->end ? "unexpected end" : "unexpected character");
}

static inline void skip_space(struct check *c)
{
    while (c->at != c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
}

static inline bool is_at(const struct check *c, char wanted)
{
    return c->at != c->end && *c->at == wanted;
}

static inline bool is_digit_at(const struct check *c)
{
    return c->at != c->end && *c->at >= '0' && *c->at <= '9';
}

/* The first byte from `at` that may not just stand in a text: quote, backslash, control, not ASCII.
 */
static inline const char *skip_plain(const char *at, const char *end)
{
    uint64_t marks;
    for (; end - at >= 8; at += 8) {
        marks = json_marks_ascii(json_load(at));
        if (marks != 0)
            return at + json_first_mark(marks);
    }
    marks = json_marks_ascii(json_load_short(at, (size_t)(end - at)));
    return marks != 0 ? at + json_first_mark(marks) : end;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX; -1 if they are not. */
static int32_t read_unit(const char *at, const char *end)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    int32_t unit = 0;
    for (int i = 2; i < 6; i++) {
        int value = hex_value(at[i]);
        if (value < 0)
            return -1;
        unit = unit << 4 | value;
    }
    return unit;
}

/* \uXXXX or a pair of them at c->at, as a code point. */
static bool read_unicode_escape(struct check *c, uint32_t *code)
{
    int32_t unit = read_unit(c->at, c->end);
    if (unit < 0)
        return refuse(c, c->at, "invalid escape");
    if (unit == 0)
        return refuse(c, c->at, "\\u0000");
    *code = (uint32_t)unit;
    if (unit < 0xd800 || unit > 0xdfff) {
        c->at += 6;
        return true;
    }
    int32_t low = unit < 0xdc00 ? read_unit(c->at + 6, c->end) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return refuse(c, c->at, "lone surrogate");
    *code = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    c->at += 12;
    return true;
}

/* The escape at c->at, which is a backslash. */
static bool read_escape(struct check *c, uint32_t *code)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char letter = c->end - c->at < 2 ? 0 : c->at[1];
    if (letter == 'u')
        return read_unicode_escape(c, code);
    const char *found = letter == 0 ? NULL : strchr(letters, letter);
    if (found == NULL)
        return refuse(c, c->at, "invalid escape");
    *code = (unsigned char)meanings[found - letters];
    c->at += 2;
    return true;
}

/* What skip_plain stopped at, unless it is the closing quote. Kept out of line: it would cost
 * check_text its registers. */
__attribute__((noinline)) static bool check_special(struct check *c, bool *has_escape)
{
    uint32_t code;
    if (c->at == c->end)
        return refuse_here(c);
    if (*c->at == '\\') {
        *has_escape = true;
        return read_escape(c, &code);
    }
    if ((unsigned char)*c->at < 0x20)
        return refuse(c, c->at, "control character");
    size_t length = utf8_length(c->at, c->end);
    if (length == 0)
        return refuse(c, c->at, "invalid UTF-8");
    c->at += length;
    return true;
}

/* A text from its opening quote to behind its closing one. Inlined by force: a tenth of the check.
 */
__attribute__((always_inline)) static inline bool check_text(struct check *c, bool *has_escape)
{
    c->at++;
    for (;;) {
        c->at = skip_plain(c->at, c->end);
        if (is_at(c, '"')) {
            c->at++;
            return true;
        }
        if (!check_special(c, has_escape))
            return false;
    }
}

/* What stands between the quotes, which was checked, without its escapes. */
static void decode_name(struct check *c, struct json_name *name)
{
    struct check inner = {.at = name->data, .end = name->data + name->size};
    char *decoded = arena_alloc(c->arena, name->size);
    size_t size = 0;
    while (inner.at != inner.end) {
        uint32_t code;
        if (*inner.at != '\\')
            decoded[size++] = *inner.at++;
        else if (read_escape(&inner, &code))
            size += utf8_put(decoded + size, code);
    }
    name->data = decoded;
    name->size = size;
}

static bool check_name(struct check *c, size_t first_name)
{
    struct json_name name = {.at = c->at};
    bool has_escape = false;
    if (!is_at(c, '"'))
        return refuse_here(c);
    if (c->names.count - first_name == JSON_MEMBERS_MAX)
        return refuse(c, c->at, "too many members");
    if (!check_text(c, &has_escape))
        return false;
    name.data = name.at + 1;
    name.size = (size_t)(c->at - 1 - name.data);
    if (has_escape)
        decode_name(c, &name);
    if (!json_names_add(&c->names, first_name, &name))
        return refuse(c, name.at, "name given twice");
    skip_space(c);
    if (!is_at(c, ':'))
        return refuse_here(c);
    c->at++;
    return true;
}

static bool close_object(struct check *c, size_t first_name)
{
    const struct json_name *twice = json_names_close(&c->names, first_name);
    if (twice != NULL)
        return refuse(c, twice->at, "name given twice");
    c->at++;
    return true;
}

static bool check_object(struct check *c, int depth)
{
    size_t first_name = c->names.count;
    c->at++;
    skip_space(c);
    if (is_at(c, '}')) {
        c->at++;
        return true;
    }
    for (;;) {
        if (!check_name(c, first_name) || !check_value(c, depth))
            return false;
        if (is_at(c, '}'))
            return close_object(c, first_name);
        if (!is_at(c, ','))
            return refuse_here(c);
        c->at++;
        skip_space(c);
    }
}

static bool check_array(struct check *c, int depth)
{
    c->at++;
    skip_space(c);
    if (is_at(c, ']')) {
        c->at++;
        return true;
    }
    for (;;) {
        if (!check_value(c, depth))
            return false;
        if (!is_at(c, ',') && !is_at(c, ']'))
            return refuse_here(c);
        if (*c->at++ == ']')
            return true;
    }
}

static void keep_number(struct check *c, int64_t value, enum json_number_kind kind)
{
    if (c->numbers->count == JSON_NUMBERS_IN_BLOCK) {
        struct json_numbers *block = arena_alloc(c->arena, sizeof *block);
        block->next = NULL;
        block->count = 0;
        c->numbers->next = block;
        c->numbers = block;
    }
    c->numbers->items[c->numbers->count++] = (struct json_number){value, kind};
}

static bool check_digits(struct check *c)
{
    if (!is_digit_at(c))
        return refuse_here(c);
    while (is_digit_at(c))
        c->at++;
    return true;
}

/* What may stand behind the whole part. */
static bool check_fraction(struct check *c)
{
    if (is_at(c, '.')) {
        c->at++;
        if (!check_digits(c))
            return false;
    }
    if (is_at(c, 'e') || is_at(c, 'E')) {
        c->at++;
        if (is_at(c, '+') || is_at(c, '-'))
            c->at++;
        return check_digits(c);
    }
    return true;
}

/* The whole part: its digits as a value; false if it is more than `max`. */
static bool read_whole(struct check *c, uint64_t max, uint64_t *value)
{
    bool fits = true;
    *value = 0;
    for (; is_digit_at(c); c->at++) {
        unsigned digit = (unsigned)(*c->at - '0');
        fits = fits && *value <= (max - digit) / 10;
        *value = *value * 10 + digit;
    }
    return fits;
}

static bool check_number(struct check *c)
{
    const char *from = c->at;
    bool is_negative = *c->at == '-';
    c->at += is_negative;
    if (!is_digit_at(c))
        return refuse_here(c);
    bool is_zero = *c->at == '0';
    uint64_t value;
    bool fits = read_whole(c, (uint64_t)INT64_MAX + is_negative, &value);
    const char *whole_end = c->at;
    if (is_zero && whole_end - from > 1 + is_negative)
        return refuse(c, from + is_negative, "leading zero");
    if (!check_fraction(c))
        return false;
    if (c->at - from > NUMBER_BYTES_MAX)
        return refuse(c, from, "number of more than 63 characters");
    if (c->at != whole_end || (is_zero && is_negative))
        keep_number(c, 0, JSON_NUMBER_FRACTION);
    else if (!fits)
        keep_number(c, 0, JSON_NUMBER_TOO_LARGE);
    else
        keep_number(c, (int64_t)(is_negative ? 0 - value : value), JSON_NUMBER_INTEGER);
    return true;
}

static bool check_word(struct check *c, const char *word)
{
    for (; *word != 0; word++, c->at++) {
        if (!is_at(c, *word))
            return refuse_here(c);
    }
    return true;
}

static bool check_bare_value(struct check *c, int depth)
{
    bool has_escape;
    if (c->at == c->end)
        return refuse_here(c);
    switch (*c->at) {
    case '"':
        return check_text(c, &has_escape);
    case '{':
    case '[':
        if (depth == JSON_DEPTH_MAX)
            return refuse(c, c->at, "nested too deeply");
        return *c->at == '{' ? check_object(c, depth + 1) : check_array(c, depth + 1);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        return *c->at == '-' || is_digit_at(c) ? check_number(c) : refuse_here(c);
    }
}

/* A value with the space around it. */
static bool check_value(struct check *c, int depth)
{
    skip_space(c);
    if (!check_bare_value(c, depth))
        return false;
    skip_space(c);
    return true;
}

const char *json_check(struct arena *arena, const char *text, size_t size,
                       struct json_numbers *numbers, size_t *at)
{
    struct check c;
    c.at = text;
    c.end = text + size;
    c.arena = arena;
    c.wrong = NULL;
    c.numbers = numbers;
    numbers->next = NULL;
    numbers->count = 0;
    json_names_init(&c.names, arena);
    if (check_value(&c, 0) && c.at != c.end)
        refuse(&c, c.at, "unexpected bytes behind the value");
    *at = (size_t)(c.at - text);
    return c.wrong;
}
