/* Matching a text against its template: what stands between placeholders is looked for from left to
 * right, and behind the last one from the right. */
#include "gateway/params.h"

#include <stddef.h>
#include <string.h>

#include "base/buffer.h"
#include "gateway/encoding.h"

enum { PIECES_MAX = 64 };

/* Fixed text, and the placeholder behind it. */
struct piece {
    struct buffer fixed;
    struct text name; /* data NULL: the last */
};

struct pieces {
    struct piece items[PIECES_MAX];
    size_t count;
};

static void split(struct text content, struct pieces *pieces)
{
    const char *at = content.data, *end = content.data + content.size;

    pieces->count = 1;
    buffer_init(&pieces->items[0].fixed);
    pieces->items[0].name = (struct text){NULL, 0};
    while (at < end && pieces->count < PIECES_MAX) {
        struct piece *piece = &pieces->items[pieces->count - 1];
        bool is_brace = *at == '{' || *at == '}';
        if (is_brace && end - at > 1 && at[1] == at[0]) {
            buffer_append(&piece->fixed, at, 1);
            at += 2;
        } else if (*at == '{') {
            const char *close = memchr(at, '}', (size_t)(end - at));
            if (close == NULL)
                return; /* no template has that */
            piece->name = (struct text){at + 1, (size_t)(close - at - 1)};
            at = close + 1;
            buffer_init(&pieces->items[pieces->count].fixed);
            pieces->items[pieces->count++].name = (struct text){NULL, 0};
        } else {
            buffer_append(&piece->fixed, at++, 1);
        }
    }
}

static const char *find(const char *from, const char *end, const struct buffer *fixed)
{
    return fixed->size == 0 ? from : memmem(from, (size_t)(end - from), fixed->data, fixed->size);
}

/* The values, one a placeholder. */
static bool match(const struct pieces *pieces, struct text rendered, struct text *values)
{
    const struct buffer *tail = &pieces->items[pieces->count - 1].fixed;
    const char *at = rendered.data, *end = rendered.data + rendered.size;

    if (rendered.size < tail->size ||
        (tail->size > 0 && memcmp(end - tail->size, tail->data, tail->size) != 0))
        return false;
    end -= tail->size;
    for (size_t i = 0; i + 1 < pieces->count; i++) {
        const struct buffer *fixed = &pieces->items[i].fixed;
        const char *found = find(at, end, fixed);
        if (found == NULL)
            return false;
        if (i > 0)
            values[i - 1] = (struct text){at, (size_t)(found - at)};
        at = found + fixed->size;
    }
    if (pieces->count > 1)
        values[pieces->count - 2] = (struct text){at, (size_t)(end - at)};
    return true;
}

static bool is_named_before(const struct pieces *pieces, size_t place)
{
    for (size_t i = 0; i < place; i++) {
        if (text_equals(pieces->items[i].name, pieces->items[place].name))
            return true;
    }
    return false;
}

static void write_values(const struct pieces *pieces, const struct text *values, struct buffer *to)
{
    bool is_first = true;

    buffer_append_literal(to, "{");
    for (size_t i = 0; i + 1 < pieces->count; i++) {
        if (is_named_before(pieces, i))
            continue;
        buffer_append_text(to, is_first ? "\"" : ",\"");
        buffer_append(to, pieces->items[i].name.data, pieces->items[i].name.size);
        buffer_append_literal(to, "\":\"");
        encode_json(to, values[i]);
        buffer_append_literal(to, "\"");
        is_first = false;
    }
    buffer_append_literal(to, "}");
}

bool params_write(struct text content, struct text rendered, struct buffer *to)
{
    struct text values[PIECES_MAX];
    struct pieces pieces;
    bool is_matched;

    split(content, &pieces);
    is_matched = match(&pieces, rendered, values);
    if (is_matched)
        write_values(&pieces, values, to);
    else
        buffer_append_literal(to, "{}");
    for (size_t i = 0; i < pieces.count; i++)
        buffer_release(&pieces.items[i].fixed);
    return is_matched;
}
