/* Lists: what may be asked of one, declared as rows, and the walk over a page of it.
 *
 * A list is of rows whose keys end with a number, newest first unless it says otherwise. Its cursor
 * is the number of the last row that a page looked at: what is made meanwhile comes before it and
 * moves nothing. Where not every row is of the list, a page looks at so many at the most: it may
 * then be shorter than its limit and have a cursor all the same. */
#ifndef SMSD_API_PAGE_H
#define SMSD_API_PAGE_H

#include "api/call.h"
#include "engine/catalog.h"

/* --- what is asked -------------------------------------------------------------------------------
 */

/* `limit` (1 to 500) and `after`. */
struct page {
    int64_t limit;
    struct json_text after;
};
enum { PAGE_LIMIT_MAX = 500, PAGE_LIMIT_DEFAULT = 50 };
#define PAGE_DEFAULT                                                                               \
    {                                                                                              \
        .limit = PAGE_LIMIT_DEFAULT                                                                \
    }

/* Rows of a list's declaration: `type` is the struct that is filled, `member` a struct page or
 * struct json_text of it. */
#define PAGE_FIELDS(type, member)                                                                  \
    {.name = "limit",                                                                              \
     .kind = JSON_INT,                                                                             \
     .offset = offsetof(type, member.limit),                                                       \
     .min = 1,                                                                                     \
     .max = PAGE_LIMIT_MAX},                                                                       \
    {                                                                                              \
        .name = "after", .kind = JSON_TEXT, .offset = offsetof(type, member.after), .min = 1,      \
        .max = 64                                                                                  \
    }
#define QUERY_FIELD(type, member, checked, said)                                                   \
    {                                                                                              \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(type, member), .min = 1, .max = 64, \
        .check = (checked), .rule = (said)                                                         \
    }
#define QUERY_ID_FIELD(type, member)   QUERY_FIELD(type, member, is_id, "must be an id")
#define QUERY_TIME_FIELD(type, member) QUERY_FIELD(type, member, is_time, TIME_RULE)

/* The query of a list that has no other parameters. False: replied. */
bool call_bind_page(struct call *call, struct page *page);
/* The number a page goes on behind; `*number` stays as it is without a cursor. False: replied. */
bool call_page_after(struct call *call, const struct page *page, uint64_t *number);
/* The numbers, from `*first` on and before `*end`, of what was made in that time. Texts that
 * is_time has accepted; data NULL: not given, and no bound. */
void page_span(struct json_text from, struct json_text to, uint64_t *first, uint64_t *end);
/* The number of what is named by its id; as it was where nothing is. False: there is no such thing,
 * and so nothing in the list. */
bool page_thing(struct txn *txn, enum catalog_kind kind, struct json_text id, uint64_t *number);

/* --- walking -------------------------------------------------------------------------------------
 */

enum {
    PAGE_KEY_MAX = 80,        /* bytes */
    PAGE_EXAMINED_MAX = 2000, /* rows, where not all are of the list */
};

/* Zeros for what is not given. */
struct page_walk {
    enum table table; /* an ordered one, all of whose keys of the list are of one size */
    enum walk_direction direction; /* DOWN: newest first */
    char key[PAGE_KEY_MAX];        /* what all keys of the list begin with, */
    size_t prefix_size;            /* so many bytes; the number is behind them */
    uint64_t after;                /* it goes on behind this number; */
    uint64_t first;                /* DOWN: and ends with this one */
    int64_t limit;
    int examined_max; /* rows; 0: however many it takes */
    /* Takes the row that the walk stands on. False: it is not of the list. */
    bool (*take)(void *context, struct txn *txn, uint64_t number, const struct txn_walk *row);
    void *context;
};
/* Returns the number that the next page goes on behind; 0: there is none. `walk->key` is used. */
uint64_t page_walk(struct txn *txn, struct page_walk *walk);
/* The same, over rows as they are now; the reply waits for what was seen. */
uint64_t call_walk_page(struct call *call, struct page_walk *walk);

/* --- answering -----------------------------------------------------------------------------------
 */

/* Begins an answer that is a list: its items are written next, */
struct json_writer call_begin_list(struct call *call);
/* and then its end. `next` 0 writes null. */
void call_end_list(struct json_writer *writer, uint64_t next);

/* Answers with a table's rows, newest first, as a list that has no other parameters; keys are the
 * rows' numbers. The context of `take` is a struct json_writer. */
void call_list_numbered(struct call *call, enum table table,
                        bool (*take)(void *context, struct txn *txn, uint64_t number,
                                     const struct txn_walk *row));

#endif
