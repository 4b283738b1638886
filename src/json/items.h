/* Cuts a batch into its items while it arrives: a JSON array, or lines of JSON (NDJSON). Holds at
 * most one item, so memory does not grow with the batch. What an item is made of is json_parse's
 * affair. */
#ifndef SMSD_JSON_ITEMS_H
#define SMSD_JSON_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct json_items {
    bool is_lines;
    size_t item_bytes_max;
    int (*on_item)(void *context, const char *text, size_t size);
    void *context;
    int state;
    int depth;
    bool is_in_string, is_escaped;
    struct buffer item; /* what has come of the item that is not yet whole */
    size_t offset;      /* of the next byte, from the batch's begin */
    const char *fault;
};

/* `on_item` gets each item's text, not ended by a NUL; non-zero from it ends the cutting. */
void json_items_init(struct json_items *items, bool is_lines, size_t item_bytes_max,
                     int (*on_item)(void *context, const char *text, size_t size), void *context);
void json_items_release(struct json_items *items);
/* 0; what on_item returned; or -1: what came is no batch, and `fault` says why, `offset` where. */
int json_items_feed(struct json_items *items, const char *data, size_t size);
/* After the last byte: likewise. */
int json_items_end(struct json_items *items);

#endif
