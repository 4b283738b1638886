/* Parameters and pages of lists. */
#include "api/page.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/id.h"

/* --- what is asked -------------------------------------------------------------------------------
 */

struct page_query {
    struct page page;
};

static const struct json_field page_parameters[] = {PAGE_FIELDS(struct page_query, page)};

bool call_bind_page(struct call *call, struct page *page)
{
    struct page_query query = {PAGE_DEFAULT};
    bool is_bound = call_bind_query(call, page_parameters, FIELD_COUNT(page_parameters), &query);

    *page = query.page;
    return is_bound;
}

bool call_page_after(struct call *call, const struct page *page, uint64_t *number)
{
    if (page->after.data == NULL || id_parse(page->after.data, page->after.size, "", number))
        return true;
    call_refuse_field(call, "/after", "is not a cursor that a list returned");
    return false;
}

static uint64_t number_at(struct json_text time, uint64_t fallback)
{
    return time.data != NULL ? id_at(time_of(time)) : fallback;
}

void page_span(struct json_text from, struct json_text to, uint64_t *first, uint64_t *end)
{
    *first = number_at(from, 0);
    *end = number_at(to, UINT64_MAX);
}

bool page_thing(struct txn *txn, enum catalog_kind kind, struct json_text id, uint64_t *number)
{
    struct catalog_thing thing;

    if (id.data == NULL)
        return true;
    if (!catalog_find(txn, kind, text_of(id), &thing))
        return false;
    *number = thing.number;
    return true;
}

/* --- walking -------------------------------------------------------------------------------------
 */

/* Sets out behind the cursor. `last` is where the list ends. */
static struct txn_walk *set_out(struct txn *txn, struct page_walk *walk, char last[PAGE_KEY_MAX])
{
    size_t key_size = walk->prefix_size + 8;
    bool is_down = walk->direction == WALK_DOWN;
    struct txn_walk *rows;

    assert(key_size <= PAGE_KEY_MAX);
    memcpy(last, walk->key, walk->prefix_size);
    bytes_put_u64_be(last + walk->prefix_size, is_down ? walk->first : UINT64_MAX);
    bytes_put_u64_be(walk->key + walk->prefix_size, is_down
                                                        ? walk->after - (walk->after > 0)
                                                        : walk->after + (walk->after < UINT64_MAX));
    rows = txn_walk(txn, walk->table, walk->direction, walk->key, key_size);
    txn_walk_until(rows, last, key_size);
    return rows;
}

uint64_t page_walk(struct txn *txn, struct page_walk *walk)
{
    char last[PAGE_KEY_MAX];
    struct txn_walk *rows = set_out(txn, walk, last);
    uint64_t number = 0, next = 0;
    int64_t count = 0;

    for (int examined = 0; txn_walk_next(rows); examined++) {
        assert(rows->key_size == walk->prefix_size + 8);
        if (count == walk->limit || (walk->examined_max > 0 && examined == walk->examined_max)) {
            next = number;
            break;
        }
        number = bytes_get_u64_be((const char *)rows->key + walk->prefix_size);
        count += walk->take(walk->context, txn, number, rows);
    }
    txn_walk_end(rows);
    return next;
}

uint64_t call_walk_page(struct call *call, struct page_walk *walk)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    uint64_t next = page_walk(txn, walk);

    call_read_end(call, txn);
    return next;
}

/* --- answering -----------------------------------------------------------------------------------
 */

struct json_writer call_begin_list(struct call *call)
{
    struct json_writer w = call_answer(call);

    json_object_begin(&w, NULL);
    json_array_begin(&w, "data");
    return w;
}

void call_end_list(struct json_writer *writer, uint64_t next)
{
    json_array_end(writer);
    json_id_or_null(writer, "next", "", next);
    json_object_end(writer);
}

void call_list_numbered(struct call *call, enum table table,
                        bool (*take)(void *context, struct txn *txn, uint64_t number,
                                     const struct txn_walk *row))
{
    struct page_walk walk = {
        .table = table, .direction = WALK_DOWN, .after = UINT64_MAX, .take = take};
    struct json_writer w;
    struct page page;

    if (!call_bind_page(call, &page) || !call_page_after(call, &page, &walk.after))
        return;
    w = call_begin_list(call);
    walk.limit = page.limit;
    walk.context = &w;
    call_end_list(&w, call_walk_page(call, &walk));
}
