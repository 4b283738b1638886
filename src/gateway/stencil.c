/* Reading and writing stencils. A stencil is a list of parts, each a run of text and then, unless
 * it is the last, a value with its filters. */
#include "gateway/stencil.h"

#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "gateway/encoding.h"
#include "net/digest.h"
#include "json/read.h"

enum filter {
#define FILTER(NAME, name, prose) FILTER_##NAME,
#include "gateway/filter.def"
#undef FILTER
    FILTER_COUNT
};

enum { FILTERS_MAX = 6, PARTS_MAX = 64 };

struct part {
    struct text before; /* stands before the value */
    bool has_value;     /* else it is the last part */
    bool is_constant;   /* a variable: `constant` */
    struct text constant;
    enum stencil_value value;
    enum filter filters[FILTERS_MAX];
    size_t filter_count;
};

struct stencil {
    size_t count;
    struct part parts[];
};

enum { SEND = STENCIL_SEND, QUERY = STENCIL_QUERY, SIGN = STENCIL_SIGN, CHECK = STENCIL_CHECK };

static const struct {
    const char *name;
    unsigned contexts;
} value_rows[] = {
#define VALUE(NAME, name, contexts, prose) [VALUE_##NAME] = {name, contexts},
#include "gateway/value.def"
#undef VALUE
};

static const char *const filter_names[] = {
#define FILTER(NAME, name, prose) [FILTER_##NAME] = name,
#include "gateway/filter.def"
#undef FILTER
};

/* --- reading -------------------------------------------------------------------------------------
 */

struct reading {
    struct arena *arena;
    const struct stencil_names *names;
    const char *pointer;
    struct json_errors *errors;
    struct part parts[PARTS_MAX];
    size_t count;
};

static bool refuse(struct reading *r, const char *what, struct text which)
{
    struct buffer detail;

    buffer_init(&detail);
    buffer_append_text(&detail, what);
    if (which.data != NULL) {
        buffer_append_literal(&detail, " {");
        buffer_append(&detail, which.data, which.size < 64 ? which.size : 64);
        buffer_append_literal(&detail, "}");
    }
    buffer_append(&detail, "", 1);
    json_errors_add(r->arena, r->errors, r->pointer, detail.data);
    buffer_release(&detail);
    return false;
}

static bool is_text(struct text text, const char *literal)
{
    return text_equals(text, (struct text){literal, strlen(literal)});
}

static bool find_value(struct reading *r, struct part *part, struct text name)
{
    for (size_t i = 0; i < VALUE_COUNT; i++) {
        if (is_text(name, value_rows[i].name) && (value_rows[i].contexts & r->names->contexts)) {
            part->value = (enum stencil_value)i;
            return true;
        }
    }
    for (size_t i = 0; i < r->names->variable_count; i++) {
        if (text_equals(name, r->names->variables[i].name)) {
            part->is_constant = true;
            part->constant = r->names->variables[i].value;
            return true;
        }
    }
    return refuse(r, "nothing here is named", name);
}

static bool find_filter(struct reading *r, struct part *part, struct text name)
{
    if (part->filter_count == FILTERS_MAX)
        return refuse(r, "too many filters before", name);
    for (size_t i = 0; i < FILTER_COUNT; i++) {
        if (is_text(name, filter_names[i])) {
            part->filters[part->filter_count++] = (enum filter)i;
            return true;
        }
    }
    return refuse(r, "there is no filter", name);
}

/* What lies between two braces: a name and filters. */
static bool read_value(struct reading *r, struct part *part, struct text inside)
{
    const char *at = inside.data, *end = inside.data + inside.size;
    bool is_first = true, is_ok = true;

    while (is_ok && at <= end) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        struct text word = {at, (size_t)((bar == NULL ? end : bar) - at)};
        is_ok = is_first ? find_value(r, part, word) : find_filter(r, part, word);
        is_first = false;
        at = word.data + word.size + 1;
    }
    return is_ok;
}

static bool end_part(struct reading *r, struct part *part, const struct buffer *before)
{
    if (r->count == PARTS_MAX)
        return refuse(r, "too many values in one text", (struct text){0});
    part->before = (struct text){
        arena_copy(r->arena, before->size ? before->data : "", before->size), before->size};
    r->parts[r->count++] = *part;
    return true;
}

static bool read_parts(struct reading *r, struct text source, struct buffer *before)
{
    const char *at = source.data, *end = source.data + source.size;
    struct part last = {.has_value = false};

    while (at < end) {
        bool is_double = end - at > 1 && at[0] == at[1];
        if ((*at == '{' || *at == '}') && is_double) {
            buffer_append(before, at, 1);
            at += 2;
        } else if (*at == '{') {
            const char *close = memchr(at, '}', (size_t)(end - at));
            struct part part = {.has_value = true};
            if (close == NULL)
                return refuse(r, "a brace is not closed", (struct text){0});
            if (!read_value(r, &part, (struct text){at + 1, (size_t)(close - at - 1)}) ||
                !end_part(r, &part, before))
                return false;
            before->size = 0;
            at = close + 1;
        } else if (*at == '}') {
            return refuse(r, "a brace is closed that was not opened: write }}", (struct text){0});
        } else {
            buffer_append(before, at++, 1);
        }
    }
    return end_part(r, &last, before);
}

const struct stencil *stencil_read(struct arena *arena, struct text source,
                                   const struct stencil_names *names, const char *pointer,
                                   struct json_errors *errors)
{
    struct reading r = {.arena = arena, .names = names, .pointer = pointer, .errors = errors};
    struct stencil *stencil = NULL;
    struct buffer before;

    buffer_init(&before);
    if (read_parts(&r, source, &before)) {
        stencil = arena_alloc(arena, sizeof *stencil + r.count * sizeof *r.parts);
        stencil->count = r.count;
        memcpy(stencil->parts, r.parts, r.count * sizeof *r.parts);
    }
    buffer_release(&before);
    return stencil;
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void append_digest(struct buffer *to, enum digest digest, struct text text)
{
    uint8_t bytes[DIGEST_BYTES_MAX];
    size_t size = digest_of(digest, text.data, text.size, bytes);

    encode_hex(to, (struct text){(const char *)bytes, size}, false);
}

/* Only those bytes for which `keep` has a place, changed as it says. */
static void append_changed(struct buffer *to, struct text text, char (*change)(char c))
{
    for (size_t i = 0; i < text.size; i++) {
        char c = change(text.data[i]);
        if (c != '\0')
            buffer_append(to, &c, 1);
    }
}

static char only_digit(char c)
{
    return c >= '0' && c <= '9' ? c : '\0';
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char underscore(char c)
{
    return c == '&' || c == '=' ? '_' : c;
}

static void apply(struct buffer *to, enum filter filter, struct text text)
{
    switch (filter) {
    case FILTER_DIGITS:
        append_changed(to, text, only_digit);
        return;
    case FILTER_UPPER:
        append_changed(to, text, upper);
        return;
    case FILTER_LOWER:
        append_changed(to, text, lower);
        return;
    case FILTER_UNDERSCORE:
        append_changed(to, text, underscore);
        return;
    case FILTER_URL:
        encode_url(to, text);
        return;
    case FILTER_JSON:
        encode_json(to, text);
        return;
    case FILTER_XML:
        encode_xml(to, text);
        return;
    case FILTER_HEX:
        encode_hex(to, text, false);
        return;
    case FILTER_BASE64:
        encode_base64(to, text);
        return;
    case FILTER_UCS2_HEX:
        encode_ucs2_hex(to, text);
        return;
    case FILTER_LATIN1:
        encode_latin1(to, text);
        return;
    case FILTER_MD5:
        append_digest(to, DIGEST_MD5, text);
        return;
    case FILTER_SHA1:
        append_digest(to, DIGEST_SHA1, text);
        return;
    case FILTER_SHA256:
        append_digest(to, DIGEST_SHA256, text);
        return;
    case FILTER_RAW:
    case FILTER_NUMBER:
    case FILTER_COUNT:
        buffer_append(to, text.data, text.size);
        return;
    }
}

static void append_escaped(struct buffer *to, enum stencil_escape escape, struct text text)
{
    switch (escape) {
    case ESCAPE_URL:
        encode_url(to, text);
        return;
    case ESCAPE_JSON:
        encode_json(to, text);
        return;
    case ESCAPE_XML:
        encode_xml(to, text);
        return;
    case ESCAPE_HEADER:
        encode_header(to, text);
        return;
    case ESCAPE_NONE:
        buffer_append(to, text.data, text.size);
        return;
    }
}

static bool ends_with(const struct part *part, enum filter filter)
{
    return part->filter_count > 0 && part->filters[part->filter_count - 1] == filter;
}

static void write_value(const struct part *part, struct text value, enum stencil_escape escape,
                        struct buffer *to)
{
    struct buffer steps[2];

    buffer_init(&steps[0]);
    buffer_init(&steps[1]);
    for (size_t i = 0; i < part->filter_count; i++) {
        struct buffer *step = &steps[i % 2];
        step->size = 0;
        apply(step, part->filters[i], value);
        value = (struct text){step->size ? step->data : "", step->size};
    }
    append_escaped(to, ends_with(part, FILTER_RAW) ? ESCAPE_NONE : escape, value);
    buffer_release(&steps[0]);
    buffer_release(&steps[1]);
}

void stencil_write(const struct stencil *stencil, const struct stencil_values *values,
                   enum stencil_escape escape, struct buffer *to)
{
    for (size_t i = 0; i < stencil->count; i++) {
        const struct part *part = &stencil->parts[i];
        buffer_append(to, part->before.data, part->before.size);
        if (part->has_value)
            write_value(part, part->is_constant ? part->constant : values->texts[part->value],
                        escape, to);
    }
}

bool stencil_is_number(const struct stencil *stencil)
{
    return stencil->count == 2 && stencil->parts[0].before.size == 0 &&
           stencil->parts[1].before.size == 0 && ends_with(&stencil->parts[0], FILTER_NUMBER);
}

bool stencil_has(const struct stencil *stencil, enum stencil_value value)
{
    for (size_t i = 0; i < stencil->count; i++) {
        const struct part *part = &stencil->parts[i];
        if (part->has_value && !part->is_constant && part->value == value)
            return true;
    }
    return false;
}
