/* Messages that are no rows any more (SMS-19): read off the loop, answered when history has. What a
 * list has of them is merged with what rows had when it was asked: numbers say the order, and where
 * a message is in both, rows are right. A message that became history meanwhile is in what rows
 * had, so none is missed; and none comes back from history. */
#include <assert.h>
#include <stdlib.h>

#include "api/deferred.h"
#include "api/message_lists.h"
#include "base/error.h"
#include "engine/archive.h"

struct taken {
    uint64_t number;
    size_t begin, size; /* in `values` */
};

struct history_call {
    struct api *api;
    const struct route *route;
    struct deferred deferred;
    struct api_key key;
    bool has_idempotency_key;
    struct hash128 idempotency_key;
    uint64_t fingerprint;

    uint64_t number; /* of the message asked for; 0: it is a list */
    bool has_command;
    struct command command;
    struct message_list list;
    struct message_page *page; /* NULL: it is one message */

    struct history_request request;
    struct buffer values;
    struct taken taken[PAGE_LIMIT_MAX + 1];
    size_t count;
};

/* --- asking and answering ------------------------------------------------------------------------
 */

static struct history_call *history_call_new(const struct call *call)
{
    struct history_call *asked = malloc(sizeof *asked);

    assert(asked != NULL);
    *asked = (struct history_call){.api = call->api,
                                   .route = call->route,
                                   .key = *call->key,
                                   .has_idempotency_key = call->has_idempotency_key,
                                   .idempotency_key = call->idempotency_key,
                                   .fingerprint = call->fingerprint};
    buffer_init(&asked->values);
    return asked;
}

static void history_call_free(struct history_call *asked)
{
    if (asked->page != NULL)
        buffer_release(&asked->page->json);
    free(asked->page);
    buffer_release(&asked->values);
    free(asked);
}

static void answer_one(struct call *call, struct history_call *asked);
static void answer_merged(struct call *call, struct history_call *asked);

/* The call goes on as it would have at once. */
static void on_end(void *context, int error)
{
    struct history_call *asked = context;
    struct buffer body;
    struct http_reply reply = {
        .headers = &asked->deferred.headers, .body = &body, .hold = asked->deferred.hold};
    struct call call = {.api = asked->api,
                        .reply = &reply,
                        .route = asked->route,
                        .key = &asked->key,
                        .has_idempotency_key = asked->has_idempotency_key,
                        .idempotency_key = asked->idempotency_key,
                        .fingerprint = asked->fingerprint};

    buffer_init(&body);
    if (error != 0)
        call_refuse(&call, OUTCOME_INTERNAL, "history of these days cannot be read");
    else if (asked->page == NULL)
        answer_one(&call, asked);
    else
        answer_merged(&call, asked);
    deferred_hold(&asked->deferred, reply.hold);
    deferred_answer_status(&asked->deferred, reply.status, reply.content_type, &body);
    buffer_release(&body);
    history_call_free(asked);
}

/* On the history's thread. */
static int on_record(void *context, uint64_t number, const void *value, size_t value_size)
{
    struct history_call *asked = context;
    struct taken *taken = &asked->taken[asked->count];
    struct message_row row;

    if (!archive_decode_row(value, value_size, &row))
        return ERR_DAMAGED;
    if (asked->page != NULL && !message_list_asks_for(&asked->list, &row))
        return 0;
    *taken = (struct taken){number, asked->values.size, value_size};
    buffer_append(&asked->values, value, value_size);
    asked->count++;
    /* One more than the page holds says that there are more. */
    return asked->page != NULL && (int64_t)asked->count > asked->list.limit;
}

static void ask(struct call *call, struct history_call *asked)
{
    asked->request.kind = HISTORY_READ;
    asked->request.on_record = on_record;
    asked->request.on_end = on_end;
    asked->request.context = asked->request.end_context = asked;
    if (pipeline_history(call->api->pipeline, &asked->request) != 0) {
        history_call_free(asked);
        call_refuse(call, OUTCOME_OVERLOADED, "too many reads of history are under way");
        return;
    }
    /* `on_end` comes in a later turn. */
    call_defer(call, &asked->deferred);
}

/* What is history is read whole but rarely: too large for the stack beside the events. */
static struct archive_record *read_record(const struct history_call *asked,
                                          const struct taken *taken)
{
    struct archive_record *record = malloc(sizeof *record);
    bool is_whole;

    assert(record != NULL);
    is_whole = archive_decode(asked->values.data + taken->begin, taken->size, record);
    if (is_whole)
        return record;
    free(record);
    return NULL;
}

/* --- one -----------------------------------------------------------------------------------------
 */

void call_message_history(struct call *call, uint64_t number, const struct command *command)
{
    struct history_call *asked = history_call_new(call);

    asked->number = number;
    if (command != NULL) {
        asked->has_command = true;
        asked->command = *command;
    }
    asked->request.first = asked->request.last = number;
    asked->request.examined_max = asked->request.days_max = 1;
    ask(call, asked);
}

/* False: there is no such message for the caller, and that is answered. */
static bool is_shown(struct call *call, const struct archive_record *record)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool is = record != NULL && call_may_see_company(call, txn, record->row.company);

    call_read_end(call, txn);
    if (!is)
        call_refuse(call, OUTCOME_MESSAGE_NOT_FOUND, NULL);
    return is;
}

/* Only the first answer to a key, given while the message was a row, can be a success. */
static void run(struct call *call, struct command *command, const struct archive_record *record)
{
    struct result result;
    struct json_writer w;
    struct txn *txn;

    if (command->type == COMMAND_MESSAGE_CANCEL)
        command->of.message_cancel.is_history = true;
    else
        command->of.message_replay.is_history = true;
    if (!call_run(call, command, &result))
        return;
    w = call_answer(call);
    txn = pipeline_read_begin(call->api->pipeline);
    json_object_begin(&w, NULL);
    write_message_rows(&w, txn, &record->row, &record->text);
    json_object_end(&w);
    call_read_end(call, txn);
}

static void show(struct call *call, const struct archive_record *record)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct message_event events[MESSAGE_HISTORY_MAX];
    struct json_writer w = call_answer(call);

    write_message_whole(&w, txn, &record->row, &record->text, events,
                        archive_history(record, events));
    call_read_end(call, txn);
}

static void answer_one(struct call *call, struct history_call *asked)
{
    struct archive_record *record = asked->count > 0 ? read_record(asked, &asked->taken[0]) : NULL;

    if (asked->count > 0 && record == NULL)
        call_refuse(call, OUTCOME_INTERNAL, "history of these days cannot be read");
    else if (is_shown(call, record)) {
        if (asked->has_command)
            run(call, &asked->command, record);
        else
            show(call, record);
    }
    free(record);
}

/* --- lists ---------------------------------------------------------------------------------------
 */

void call_list_history(struct call *call, const struct message_list *list,
                       struct message_page *page)
{
    struct history_call *asked = history_call_new(call);

    asked->list = *list;
    asked->page = page;
    asked->request.index = list->table == TABLE_MESSAGE_TO        ? HISTORY_BY_TO
                           : list->table == TABLE_MESSAGE_COMPANY ? HISTORY_BY_COMPANY
                                                                  : HISTORY_BY_NUMBER;
    asked->request.by = list->by;
    asked->request.first = list->first;
    asked->request.last = list->last;
    asked->request.examined_max = PAGE_EXAMINED_MAX;
    asked->request.days_max = HISTORY_DAYS_EXAMINED_MAX;
    ask(call, asked);
}

/* What is a row now is told by rows: it was one when they were read. */
static bool is_row(struct txn *txn, const struct history_call *asked, uint64_t number)
{
    const struct message_page *page = asked->page;
    struct message_row row;
    size_t low = 0, high = page->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (page->items[middle].number > number)
            low = middle + 1;
        else
            high = middle;
    }
    return (low < page->count && page->items[low].number == number) ||
           message_find(txn, number, &row);
}

/* False: it cannot be read. */
static bool write_taken(struct json_writer *w, struct txn *txn, const struct history_call *asked,
                        const struct taken *taken)
{
    struct archive_record *record = read_record(asked, taken);

    if (record == NULL)
        return false;
    json_object_begin(w, NULL);
    write_message_rows(w, txn, &record->row, &record->text);
    json_object_end(w);
    free(record);
    return true;
}

/* Where a page is, in what rows had and in what history had. */
struct merge {
    struct history_call *asked;
    struct txn *txn;
    uint64_t reached; /* all from here on were looked at, in both */
    size_t row, taken;
    uint64_t last; /* written */
    bool is_whole;
};

/* The number of the next, 0: none. `*is_taken`: it is history's. */
static uint64_t next_of(struct merge *merge, bool *is_taken)
{
    const struct history_call *asked = merge->asked;
    const struct message_page *page = asked->page;
    uint64_t row = merge->row < page->count ? page->items[merge->row].number : 0, taken;

    while (merge->taken < asked->count &&
           is_row(merge->txn, asked, asked->taken[merge->taken].number))
        merge->taken++;
    taken = merge->taken < asked->count ? asked->taken[merge->taken].number : 0;
    *is_taken = taken > row;
    row = *is_taken ? taken : row;
    return row >= merge->reached ? row : 0;
}

static void write_next(struct json_writer *w, struct merge *merge, bool is_taken)
{
    const struct message_page *page = merge->asked->page;

    if (is_taken) {
        const struct taken *taken = &merge->asked->taken[merge->taken++];
        merge->is_whole = merge->is_whole && write_taken(w, merge->txn, merge->asked, taken);
        merge->last = taken->number;
    } else {
        const struct listed_message *item = &page->items[merge->row++];
        json_raw(w, NULL, page->json.data + item->begin, item->end - item->begin);
        merge->last = item->number;
    }
}

/* What the next page goes on behind: 0: there is none. */
static uint64_t end_of(struct merge *merge)
{
    bool is_taken;

    if (next_of(merge, &is_taken) != 0)
        return merge->last;
    return merge->reached > merge->asked->list.first ? merge->reached : 0;
}

static void answer_merged(struct call *call, struct history_call *asked)
{
    uint64_t of_rows = asked->page->reached, of_history = asked->request.reached;
    struct merge merge = {
        .asked = asked, .reached = of_rows > of_history ? of_rows : of_history, .is_whole = true};
    struct json_writer w = call_begin_list(call);
    bool is_taken;

    merge.txn = pipeline_read_begin(call->api->pipeline);
    for (int64_t count = 0; count < asked->list.limit && next_of(&merge, &is_taken) != 0; count++)
        write_next(&w, &merge, is_taken);
    call_end_list(&w, end_of(&merge));
    call_read_end(call, merge.txn);
    if (!merge.is_whole) {
        call->reply->body->size = 0;
        call_refuse(call, OUTCOME_INTERNAL, "history of these days cannot be read");
    }
}
