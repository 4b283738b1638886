/* Only what is needed to find an item's end is looked at: strings, escapes, depth. Lines end at a
 * line feed, items of an array at a comma or bracket of the array's own depth. Empty lines are
 * passed over. White space around an item does not count towards its size and is not kept beyond
 * what an item may have, so that neither memory nor the outcome depends on how the bytes came. */
#include "json/items.h"

#include <string.h>

enum state {
    STATE_BEGIN, /* before the array's bracket */
    STATE_FIRST, /* behind it: an item or its end */
    STATE_ITEM,  /* in an item, or before one that must come */
    STATE_END,   /* behind the array */
};

void json_items_init(struct json_items *items, bool is_lines, size_t item_bytes_max,
                     int (*on_item)(void *context, const char *text, size_t size), void *context)
{
    *items = (struct json_items){.is_lines = is_lines,
                                 .item_bytes_max = item_bytes_max,
                                 .on_item = on_item,
                                 .context = context,
                                 .state = is_lines ? STATE_ITEM : STATE_BEGIN};
    buffer_init(&items->item);
}

void json_items_release(struct json_items *items)
{
    buffer_release(&items->item);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int refuse(struct json_items *items, const char *fault)
{
    items->fault = fault;
    return -1;
}

static bool is_all_space(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!is_space(data[i]))
            return false;
    }
    return true;
}

/* Holds one byte more than an item may have: then what was held is too large, or ends in white
 * space that is not the item's, and whatever follows but white space makes it too large. */
static int keep(struct json_items *items, const char *data, size_t size)
{
    size_t room = items->item_bytes_max + 1 - items->item.size, kept;

    while (items->item.size == 0 && size > 0 && is_space(*data)) {
        data++;
        size--;
    }
    kept = size < room ? size : room;
    buffer_append(&items->item, data, kept);
    if (!is_all_space(data + kept, size - kept))
        return refuse(items, "an item is too large");
    return 0;
}

/* The item is whole with these last bytes. */
static int give(struct json_items *items, const char *data, size_t size)
{
    int status;

    if (items->item.size > 0) {
        if (keep(items, data, size) != 0)
            return -1;
        data = items->item.data;
        size = items->item.size;
    }
    while (size > 0 && is_space(*data)) {
        data++;
        size--;
    }
    while (size > 0 && is_space(data[size - 1]))
        size--;
    if (size == 0 && !items->is_lines)
        return refuse(items, "an item is missing");
    if (size > items->item_bytes_max)
        return refuse(items, "an item is too large");
    status = size == 0 ? 0 : items->on_item(items->context, data, size);
    items->item.size = 0;
    return status;
}

static int feed_lines(struct json_items *items, const char *data, size_t size)
{
    while (size > 0) {
        const char *end = memchr(data, '\n', size);
        size_t part = end == NULL ? size : (size_t)(end - data);
        int status = end == NULL ? keep(items, data, part) : give(items, data, part);
        if (status != 0)
            return status;
        part += end != NULL;
        items->offset += part;
        data += part;
        size -= part;
    }
    return 0;
}

/* Where the item that `data` stands in ends: `size` if not here. */
static size_t item_end(struct json_items *items, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = data[i];
        if (items->is_in_string) {
            if (items->is_escaped)
                items->is_escaped = false;
            else if (c == '\\')
                items->is_escaped = true;
            else if (c == '"')
                items->is_in_string = false;
            continue;
        }
        if (c == '"')
            items->is_in_string = true;
        else if (c == '{' || c == '[')
            items->depth++;
        else if (items->depth > 0 && (c == '}' || c == ']'))
            items->depth--;
        else if (items->depth == 0 && (c == ',' || c == ']'))
            return i;
    }
    return size;
}

/* One byte outside of items. */
static int feed_between(struct json_items *items, char c)
{
    if (is_space(c))
        return 0;
    if (items->state == STATE_BEGIN && c == '[')
        items->state = STATE_FIRST;
    else if (items->state == STATE_FIRST && c == ']')
        items->state = STATE_END;
    else if (items->state == STATE_BEGIN)
        return refuse(items, "a batch is an array");
    else
        return refuse(items, "there is something behind the array");
    return 0;
}

static int feed_array(struct json_items *items, const char *data, size_t size)
{
    size_t i = 0;

    while (i < size) {
        int status;
        if (items->state == STATE_FIRST && !is_space(data[i]) && data[i] != ']')
            items->state = STATE_ITEM;
        if (items->state == STATE_ITEM) {
            size_t part = item_end(items, data + i, size - i);
            bool is_whole = part < size - i;
            status = is_whole ? give(items, data + i, part) : keep(items, data + i, part);
            if (is_whole && data[i + part] == ']')
                items->state = STATE_END;
            i += part + is_whole;
            items->offset += part + is_whole;
        } else {
            status = feed_between(items, data[i]);
            i++;
            items->offset++;
        }
        if (status != 0)
            return status;
    }
    return 0;
}

int json_items_feed(struct json_items *items, const char *data, size_t size)
{
    return items->is_lines ? feed_lines(items, data, size) : feed_array(items, data, size);
}

int json_items_end(struct json_items *items)
{
    if (items->is_lines)
        return give(items, "", 0);
    return items->state == STATE_END ? 0 : refuse(items, "the array does not end");
}
