/* Messages that people send to us, as providers tell them: reading where they stand, and finding
 * them. A sender is whatever a provider takes for a number; here it becomes E.164, or the message
 * is none. */
#include <string.h>

#include "base/arena.h"
#include "engine/mobile.h"
#include "gateway/http_answer.h"

/* --- configuration -------------------------------------------------------------------------------
 */

struct received_body {
    const struct json_value *id, *from, *to, *content, *only;
    struct json_text items, prefix;
};

static bool is_prefix(const char *data, size_t size)
{
    for (size_t i = 1; i < size; i++) {
        if (data[i] < '0' || data[i] > '9')
            return false;
    }
    return size >= 2 && data[0] == '+' && data[1] != '0';
}

static const struct json_field received_fields[] = {
    CONFIG_ANY(struct received_body, id, false),
    CONFIG_ANY(struct received_body, from, true),
    CONFIG_ANY(struct received_body, to, false),
    CONFIG_ANY(struct received_body, content, true),
    CONFIG_ANY(struct received_body, only, false),
    {.name = "items",
     .kind = JSON_TEXT,
     .offset = offsetof(struct received_body, items),
     .max = 256},
    {.name = "prefix",
     .kind = JSON_TEXT,
     .offset = offsetof(struct received_body, prefix),
     .min = 2,
     .max = 8,
     .check = is_prefix,
     .rule = "must be + and a calling code"},
};

const struct http_received *http_received_read(struct arena *arena, const struct json_value *value,
                                               const char *pointer, struct json_errors *errors)
{
    struct http_received *received = arena_alloc(arena, sizeof *received);
    struct received_body body = {0};
    uint64_t given;

    memset(received, 0, sizeof *received);
    if (!json_bind(arena, value, received_fields, FIELD_COUNT(received_fields), &body, &given,
                   pointer, errors))
        return NULL;
    received->items = config_items(arena, body.items, pointer, errors);
    received->id = config_place(arena, body.id, pointer, "id", errors);
    received->from = config_place(arena, body.from, pointer, "from", errors);
    received->to = config_place(arena, body.to, pointer, "to", errors);
    received->content = config_place(arena, body.content, pointer, "content", errors);
    received->prefix = config_copy(arena, body.prefix);
    received->only = config_condition(arena, body.only, pointer, "only", errors);
    return received;
}

/* --- finding -------------------------------------------------------------------------------------
 */

/* Its digits, what people write between them left out. 0: there is something else in it. */
static size_t take_digits(struct text text, char *to, size_t max)
{
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c >= '0' && c <= '9' && size < max)
            to[size++] = c;
        else if (c == '\0' || strchr(" -.()", c) == NULL)
            return 0;
    }
    return size;
}

bool received_sender(struct text text, struct text prefix, uint64_t *mobile)
{
    char number[2 * MOBILE_TEXT_MAX] = {'+'}, digits[MOBILE_TEXT_MAX];
    size_t size, skipped = 0, begin = 1;
    bool has_plus;

    while (text.size > 0 && text.data[0] == ' ')
        text = (struct text){text.data + 1, text.size - 1};
    has_plus = text.size > 0 && text.data[0] == '+';
    if (has_plus)
        text = (struct text){text.data + 1, text.size - 1};
    size = take_digits(text, digits, sizeof digits);
    if (!has_plus && size > 2 && digits[0] == '0' && digits[1] == '0') {
        skipped = 2;
    } else if (!has_plus && prefix.size > 0) {
        memcpy(number, prefix.data, prefix.size);
        begin = prefix.size;
        skipped = size > 0 && digits[0] == '0';
    }
    memcpy(number + begin, digits + skipped, size - skipped);
    return size > skipped && mobile_parse((struct text){number, begin + size - skipped}, mobile);
}

static bool read_one(struct arena *arena, const struct http_received *received,
                     const struct heard *heard, struct heard_message *found)
{
    struct text from = place_find(arena, &received->from, heard);

    if (received->only != NULL && !condition_holds(arena, received->only, heard))
        return false;
    *found = (struct heard_message){.id = place_find(arena, &received->id, heard),
                                    .to = place_find(arena, &received->to, heard),
                                    .content = place_find(arena, &received->content, heard)};
    return found->content.data != NULL && from.data != NULL &&
           received_sender(from, received->prefix, &found->from);
}

size_t http_received(struct arena *arena, const struct http_received *received,
                     const struct heard *heard, struct heard_message *found, size_t max)
{
    const struct json_value *item;
    size_t count = 0;

    if (!received->items.are_given)
        return max > 0 && read_one(arena, received, heard, found);
    for (item = heard_items(heard, received->items.at); item != NULL && count < max;
         item = json_next(item)) {
        struct heard one = *heard;
        one.json = item;
        count += read_one(arena, received, &one, &found[count]);
    }
    return count;
}
