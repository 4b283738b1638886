/* /v1/accounts/{id}/entries: an account's history, newest first (BILL-11). Entries are chained from
 * the account's row, so a page is a walk back along the chain, and a cursor is the entry it goes on
 * behind: entries made meanwhile come before it and move nothing.
 *
 * A filter that matches little could walk far: after ENTRIES_EXAMINED_MAX entries a page ends
 * early, with a cursor to go on from, and holds nobody up. */
#include <string.h>

#include "api/billing.h"
#include "api/page.h"
#include "base/id.h"
#include "base/time_text.h"
#include "engine/entry.h"

enum { ENTRIES_EXAMINED_MAX = 5000 };

static const struct text type_texts[] = {
#define ENTRY_TYPE(name, number, text) [number] = {text, sizeof(text) - 1},
#include "engine/entry_type.def"
#undef ENTRY_TYPE
};

static const char *const source_prefixes[] = {
#define SOURCE_TYPE(name, number, prefix) [number] = prefix,
#include "engine/source_type.def"
#undef SOURCE_TYPE
};

static bool entry_type_parse(struct text text, enum entry_type *type)
{
    for (size_t i = 1; i < sizeof type_texts / sizeof *type_texts; i++) {
        if (text_equals(type_texts[i], text)) {
            *type = (enum entry_type)i;
            return true;
        }
    }
    return false;
}

void write_entry(struct json_writer *w, const struct entry_view *entry)
{
    json_object_begin(w, NULL);
    json_id(w, "id", "ent_", entry->number);
    json_text(w, "account", entry->account.data, entry->account.size);
    json_text(w, "type", type_texts[entry->type].data, type_texts[entry->type].size);
    json_int(w, "amount", entry->amount);
    json_int(w, "balance", entry->balance);
    json_int(w, "count", entry->count);
    json_text_or_null(w, "reference", entry->reference.data, entry->reference.size);
    if (entry->source_type == SOURCE_NONE)
        json_null(w, "source");
    else
        json_id(w, "source", source_prefixes[entry->source_type], entry->source);
    json_time(w, "created_at", id_time_ms(entry->number));
    json_object_end(w);
}

struct entry_query {
    struct page page;
    struct json_text type, created_from, created_to;
};

static bool is_type(const char *data, size_t size)
{
    enum entry_type type;
    return entry_type_parse((struct text){data, size}, &type);
}

static const struct json_field entry_parameters[] = {
    PAGE_FIELDS(struct entry_query, page),
    QUERY_FIELD(struct entry_query, type, is_type, "is not a type of entry"),
    QUERY_TIME_FIELD(struct entry_query, created_from),
    QUERY_TIME_FIELD(struct entry_query, created_to),
};

/* What a page is asked to show: entries from `first` up to and without `end`. */
struct filter {
    uint64_t first, end;
    enum entry_type type;
    bool has_type;
};

static void filter_init(struct filter *filter, const struct entry_query *query)
{
    *filter = (struct filter){.has_type = false};
    if (query->type.data != NULL)
        filter->has_type = entry_type_parse(text_of(query->type), &filter->type);
    page_span(query->created_from, query->created_to, &filter->first, &filter->end);
}

static uint64_t write_page(struct json_writer *w, struct txn *txn, const struct account *account,
                           uint64_t number, const struct filter *filter, int64_t limit)
{
    uint64_t last = 0;
    int64_t count = 0;

    for (int examined = 0; number != 0 && number >= filter->first; examined++) {
        struct entry entry;
        bool is_there = entry_find(txn, number, &entry);
        if (count == limit || examined == ENTRIES_EXAMINED_MAX)
            return last;
        if (!is_there || entry.row.account != account->row.number)
            return 0; /* a cursor of another list */
        last = number;
        if (number < filter->end && (!filter->has_type || entry.row.type == filter->type)) {
            count++;
            write_entry(
                w, &(struct entry_view){.number = number,
                                        .account = {account->id, account->id_size},
                                        .type = (enum entry_type)entry.row.type,
                                        .amount = entry.row.amount,
                                        .balance = entry.row.balance,
                                        .count = entry.row.count,
                                        .reference = {entry.reference, entry.row.reference_size},
                                        .source_type = (enum source_type)entry.row.source_type,
                                        .source = entry.row.source});
        }
        number = entry.row.previous;
    }
    return 0;
}

/* The entry behind the cursor's, or the last one that the filter's end lets through. */
static uint64_t first_of_page(struct txn *txn, const struct account *account, uint64_t after,
                              const struct filter *filter)
{
    struct entry entry;

    if (after == 0)
        return entry_find_before(txn, account, filter->end, &entry) ? entry.number : 0;
    if (!entry_find(txn, after, &entry) || entry.row.account != account->row.number)
        return 0;
    return entry.row.previous;
}

void api_entry_list(struct call *call)
{
    struct entry_query query = {.page = PAGE_DEFAULT};
    struct filter filter;
    struct account account;
    struct json_writer w;
    struct txn *txn;
    uint64_t after = 0, next;

    if (!call_bind_query(call, entry_parameters, FIELD_COUNT(entry_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    filter_init(&filter, &query);
    txn = pipeline_read_begin(call->api->pipeline);
    if (!account_find(txn, call->params[0], &account)) {
        call_read_end(call, txn);
        call_refuse(call, OUTCOME_ACCOUNT_NOT_FOUND, NULL);
        return;
    }
    w = call_begin_list(call);
    next = write_page(&w, txn, &account, first_of_page(txn, &account, after, &filter), &filter,
                      query.page.limit);
    call_read_end(call, txn);
    call_end_list(&w, next);
}

struct balance_query {
    struct json_text at;
};

static const struct json_field balance_parameters[] = {
    QUERY_TIME_FIELD(struct balance_query, at),
};

/* The balance as it was at the end of a millisecond; now, if no time is given. */
void api_balance_get(struct call *call)
{
    struct balance_query query = {.at = {NULL, 0}};
    int64_t at_ms = pipeline_now_ms(call->api->pipeline), balance = 0;
    struct account account;
    struct entry entry;
    struct json_writer w;
    struct txn *txn;
    bool is_found;

    if (!call_bind_query(call, balance_parameters, FIELD_COUNT(balance_parameters), &query))
        return;
    if (query.at.data != NULL)
        time_parse(query.at.data, query.at.size, &at_ms);
    txn = pipeline_read_begin(call->api->pipeline);
    is_found = account_find(txn, call->params[0], &account);
    if (is_found && (account.row.flags & ACCOUNT_IS_SYSTEM))
        balance = account.row.balance;
    else if (is_found && entry_find_before(txn, &account, id_at(at_ms + 1), &entry))
        balance = entry.row.balance;
    call_read_end(call, txn);
    if (!is_found) {
        call_refuse(call, OUTCOME_ACCOUNT_NOT_FOUND, NULL);
        return;
    }
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_text(&w, "account", account.id, account.id_size);
    json_time(&w, "at", at_ms);
    json_int(&w, "balance", balance);
    json_object_end(&w);
}
