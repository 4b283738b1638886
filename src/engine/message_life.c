/* What every step in a message's life does: the transition, its moment, the event, the webhook; the
 * way into the outbox, and the end that gives everything back.
 *
 * A moment lies in the message's row; one that is passed again goes into an event first. What has
 * an error or was said by a provider is an event, too. So the history is the row's moments and the
 * events, in order, and nothing is said twice. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/id.h"
#include "base/utf8.h"
#include "engine/campaign.h"
#include "engine/catalog.h"
#include "engine/due.h"
#include "engine/exception.h"
#include "engine/handler.h"
#include "engine/ledger.h"
#include "engine/message.h"
#include "engine/outbox.h"
#include "engine/report.h"
#include "engine/route.h"
#include "engine/verification.h"
#include "engine/webhook.h"
#include "engine/welcome.h"

enum { EVENT_KEY_SIZE = MESSAGE_EVENT_KEY_SIZE, EVENT_ROW_VERSION = 1, TIES_MAX = 8 };

/* --- events --------------------------------------------------------------------------------------
 */

static void event_put(struct engine *engine, struct message_row *row, int64_t at_ms,
                      enum message_status status, enum message_error error, struct text detail)
{
    bool is_end = message_status_is_final(status);
    char key[EVENT_KEY_SIZE];
    struct {
        struct message_event_row row;
        char detail[MESSAGE_DETAIL_MAX];
    } value;

    if (row->event_count >= MESSAGE_EVENTS_MAX - (is_end ? 0 : MESSAGE_EVENTS_KEPT))
        return;
    detail = utf8_cut(detail, MESSAGE_DETAIL_MAX);
    value.row = (struct message_event_row){.version = EVENT_ROW_VERSION,
                                           .status = (uint8_t)status,
                                           .error = (uint8_t)error,
                                           .detail_size = (uint8_t)detail.size,
                                           .at_ms = at_ms};
    if (detail.size > 0)
        memcpy(value.detail, detail.data, detail.size);
    bytes_put_u64_be(key, row->number);
    key[8] = (char)row->event_count++;
    txn_put(engine->txn, TABLE_MESSAGE_EVENT, key, sizeof key, &value,
            sizeof value.row + detail.size);
}

void message_note(struct engine *engine, struct message_row *row, enum message_error error,
                  struct text detail)
{
    event_put(engine, row, engine->command->now_ms, (enum message_status)row->status, error,
              detail);
}

bool message_event_read(const void *value, size_t size, struct message_event *event)
{
    struct message_event_row row;

    if (size < sizeof row)
        return false;
    memcpy(&row, value, sizeof row);
    if (row.version != EVENT_ROW_VERSION || row.detail_size > MESSAGE_DETAIL_MAX ||
        size != sizeof row + row.detail_size)
        return false;
    *event = (struct message_event){row.at_ms,
                                    (enum message_status)row.status,
                                    (enum message_error)row.error,
                                    row.detail_size,
                                    {0}};
    memcpy(event->detail, (const char *)value + sizeof row, row.detail_size);
    return true;
}

static bool may_move(enum message_status from, enum message_status to)
{
    static const bool ways[16][16] = {
#define MESSAGE_TRANSITION(from, to) [MESSAGE_##from][MESSAGE_##to] = true,
#include "engine/message_transition.def"
#undef MESSAGE_TRANSITION
    };

    return ways[from][to];
}

/* Into the order of time. */
static size_t add(struct message_event *events, size_t count, const struct message_event *event)
{
    size_t place = count;

    while (place > 0 && events[place - 1].at_ms > event->at_ms)
        place--;
    memmove(events + place + 1, events + place, (count - place) * sizeof *events);
    events[place] = *event;
    return count + 1;
}

static size_t add_moment(struct message_event *events, size_t count, int64_t at_ms,
                         enum message_status status)
{
    struct message_event event = {.at_ms = at_ms, .status = status};

    return at_ms == 0 ? count : add(events, count, &event);
}

static void move_to_front(struct message_event *events, size_t count)
{
    struct message_event last = events[count - 1];

    memmove(events + 1, events, (count - 1) * sizeof *events);
    events[0] = last;
}

static void move_to_end(struct message_event *events, size_t count)
{
    struct message_event first = events[0];

    memmove(events, events + 1, (count - 1) * sizeof *events);
    events[count - 1] = first;
}

struct ties {
    struct message_event *events;
    size_t end, count; /* of the ties, of all events */
    /* What comes behind them must be able to follow the last of them, and a remark says something.
     */
    bool is_strict;
};

static bool can_lead_on(const struct ties *ties)
{
    const struct message_event *next = ties->events + ties->end;
    bool can = ties->end == ties->count;

    for (size_t i = 0; ties->end + i < ties->count && next[i].at_ms == next->at_ms; i++)
        can = can || may_move(next[-1].status, next[i].status);
    return can;
}

static bool may_follow(const struct ties *ties, enum message_status before,
                       const struct message_event *event, bool is_remark)
{
    if (!is_remark)
        return may_move(before, event->status);
    return event->status == before && (event->detail_size > 0 || !ties->is_strict);
}

/* Finds an order of the ties from there on in which each can follow the one before it, as near to
 * theirs as there is. A remark on a status is an event with the same: it follows where no step can.
 * False: there is none, and they stay. */
static bool arrange(const struct ties *ties, size_t from)
{
    struct message_event *events = ties->events;
    size_t end = ties->end;

    if (from == end)
        return !ties->is_strict || can_lead_on(ties);
    for (size_t i = from; i < 2 * end - from; i++) {
        bool is_remark = i >= end;
        size_t at = is_remark ? i - end + from : i;
        if (!may_follow(ties, events[from - 1].status, &events[at], is_remark))
            continue;
        move_to_front(events + from, at - from + 1);
        if (arrange(ties, from + 1))
            return true;
        move_to_end(events + from, at - from + 1);
    }
    return false;
}

/* What happened within a millisecond, in an order in which it can have happened. */
static void order_ties(struct message_event *events, size_t count)
{
    for (size_t i = 1, end; i < count; i = end) {
        for (end = i + 1; end < count && events[end].at_ms == events[i].at_ms; end++)
            ;
        if (end - i > 1 && end - i <= TIES_MAX &&
            !arrange(&(struct ties){events, end, count, true}, i))
            arrange(&(struct ties){events, end, count, false}, i);
    }
}

size_t message_history_of(const struct message_row *row, int64_t send_at_ms,
                          const struct message_event *noted, size_t noted_count,
                          struct message_event events[MESSAGE_HISTORY_MAX])
{
    size_t count = 0;

    assert(noted_count <= MESSAGE_EVENTS_MAX);
    count = add_moment(events, count, id_time_ms(row->number),
                       send_at_ms != 0 ? MESSAGE_SCHEDULED : MESSAGE_QUEUED);
    for (size_t i = 0; i < noted_count; i++)
        count = add(events, count, &noted[i]);
    count = add_moment(events, count, row->sending_ms, MESSAGE_SENDING);
    count = add_moment(events, count, row->sent_ms, MESSAGE_SENT);
    /* An end with an error is an event. */
    if (message_status_is_final((enum message_status)row->status) &&
        row->error == MESSAGE_ERROR_NONE)
        count = add_moment(events, count, row->finished_ms, (enum message_status)row->status);
    order_ties(events, count);
    return count;
}

size_t message_history(struct txn *txn, const struct message_row *row, int64_t send_at_ms,
                       struct message_event events[MESSAGE_HISTORY_MAX])
{
    struct message_event noted[MESSAGE_EVENTS_MAX];
    char first[EVENT_KEY_SIZE] = {0};
    struct txn_walk *walk;
    size_t count = 0;

    bytes_put_u64_be(first, row->number);
    walk = txn_walk(txn, TABLE_MESSAGE_EVENT, WALK_UP, first, sizeof first);
    while (count < row->event_count && txn_walk_next(walk) && memcmp(walk->key, first, 8) == 0) {
        bool is_whole = message_event_read(walk->value, walk->value_size, &noted[count++]);
        assert(is_whole);
    }
    txn_walk_end(walk);
    return message_history_of(row, send_at_ms, noted, count, events);
}

/* --- steps ---------------------------------------------------------------------------------------
 */

static int64_t *moment_of(struct message_row *row, enum message_status status)
{
    switch (status) {
    case MESSAGE_SENDING:
        return &row->sending_ms;
    case MESSAGE_SENT:
        return &row->sent_ms;
    default:
        return NULL;
    }
}

/* Who has made the message learns what becomes of it. */
static void follow(struct engine *engine, const struct message_row *row, enum message_status from)
{
    static message_follower *const followers[] = {
#define MESSAGE_ORIGIN(name, number, follower) [number] = (follower),
#include "engine/message_origin.def"
#undef MESSAGE_ORIGIN
    };

    if (followers[row->origin] != NULL)
        followers[row->origin](engine, row, from);
}

void message_finished_key(char key[MESSAGE_FINISHED_KEY_SIZE], const struct message_row *row)
{
    bytes_put_u64_be(key, (uint64_t)row->finished_ms);
    bytes_put_u64_be(key + 8, row->number);
}

/* It may have no row yet: one that goes on by another route has finished only in between. */
static void unfinish(struct engine *engine, const struct message_row *row)
{
    char key[MESSAGE_FINISHED_KEY_SIZE];

    if (row->finished_ms == 0)
        return;
    message_finished_key(key, row);
    txn_delete(engine->txn, TABLE_MESSAGE_FINISHED, key, sizeof key);
}

void message_finish(struct engine *engine, struct message_row *row, int64_t at_ms)
{
    char key[MESSAGE_FINISHED_KEY_SIZE];

    row->finished_ms = at_ms;
    message_finished_key(key, row);
    txn_put(engine->txn, TABLE_MESSAGE_FINISHED, key, sizeof key, "", 0);
}

void message_move(struct engine *engine, struct message_row *row, enum message_status to,
                  enum message_error error, struct text detail)
{
    enum message_status from = (enum message_status)row->status;
    int64_t now_ms = engine->command->now_ms, *moment = moment_of(row, to);

    assert(may_move(from, to));
    unfinish(engine, row);
    if (moment != NULL && *moment != 0)
        event_put(engine, row, *moment, to, MESSAGE_ERROR_NONE, (struct text){NULL, 0});
    if (moment != NULL)
        *moment = now_ms;
    row->status = (uint8_t)to;
    row->error = (uint8_t)error;
    row->finished_ms = message_status_is_final(to) ? now_ms : 0;
    if (to == MESSAGE_QUEUED || error != MESSAGE_ERROR_NONE || detail.size > 0)
        event_put(engine, row, now_ms, to, error, detail);
    engine->effect->message_steps[to]++;
    follow(engine, row, from);
}

void message_tell(struct engine *engine, const struct message_row *row)
{
    const char *status = message_status_text((enum message_status)row->status);
    const char *error = message_error_text((enum message_error)row->error);
    struct catalog_thing company;
    struct message_text text;
    char company_id[CATALOG_ID_MAX];

    if (!(row->flags & MESSAGE_HAS_CALLBACK) ||
        !message_status_is_told((enum message_status)row->status))
        return;
    if (!message_text_find(engine->txn, row->number, &text) ||
        !catalog_find_number(engine->txn, CATALOG_COMPANY, row->company, &company))
        assert(!"a message without its text or its company");
    memcpy(company_id, company.id.data, company.id.size);
    if (text.client_reference.size == 0)
        text.client_reference.data = NULL;
    webhook_put(engine,
                &(struct webhook_event){.type = WEBHOOK_MESSAGE_STATUS,
                                        .subject = row->number,
                                        .at_ms = row->finished_ms,
                                        .values = {(int64_t)text.row.to, row->parts, row->attempts},
                                        .texts = {{company_id, company.id.size},
                                                  {status, strlen(status)},
                                                  {error, error == NULL ? 0 : strlen(error)},
                                                  text.client_reference},
                                        .url = text.callback_url});
}

void message_set_due(struct engine *engine, struct message_row *row, int64_t due_ms)
{
    if (row->due_ms != 0)
        due_delete(engine, row->due_ms, DUE_MESSAGE, row->number);
    if (due_ms != 0)
        due_put(engine, due_ms, DUE_MESSAGE, row->number);
    row->due_ms = due_ms;
}

/* --- giving back ---------------------------------------------------------------------------------
 */

/* Everything at once, or, where the account cannot take it, nothing, and an exception. */
static void refund(struct engine *engine, struct message_row *row, uint64_t exception)
{
    struct message_text_row text;
    struct account account;
    enum outcome outcome;

    if (row->charged == 0)
        return;
    message_text_row_find(engine->txn, row->number, &text);
    if (!account_find_number(engine->txn, text.account, &account))
        assert(!"a message without the account that has paid for it");
    outcome = ledger_move(engine, &(struct movement){.type = ENTRY_MESSAGE_REFUND,
                                                     .account = &account,
                                                     .counter = SYSTEM_REVENUE,
                                                     .amount = row->charged,
                                                     .entry = engine_next_number(engine),
                                                     .source_type = SOURCE_MESSAGE,
                                                     .source = row->number,
                                                     .count = 1});
    if (outcome != OUTCOME_OK) {
        exception_note(engine, exception, EXCEPTION_MESSAGE_REFUND, row->number, account.row.number,
                       row->charged, outcome);
        return;
    }
    report_refund(engine, row);
    row->charged = 0;
    exception_end(engine, exception, EXCEPTION_RESOLVED);
}

void message_refund_again(struct engine *engine, uint64_t message, uint64_t exception)
{
    struct message_row row;
    bool is_there = message_find(engine->txn, message, &row);

    assert(is_there && message_status_is_back((enum message_status)row.status));
    refund(engine, &row, exception);
    message_store(engine, &row);
}

void message_note_quota(struct engine *engine, struct message_row *row)
{
    struct product_row product;
    bool is_counted =
        product_find(engine->txn, row->product, &product) && (product.flags & PRODUCT_IS_COUNTED);

    row->flags = (uint8_t)(is_counted ? row->flags | MESSAGE_HAS_QUOTA
                                      : row->flags & ~(unsigned)MESSAGE_HAS_QUOTA);
}

void message_return_quota(struct engine *engine, const struct message_row *row)
{
    if (row->flags & MESSAGE_HAS_QUOTA)
        quota_return(engine, row->product, row->parts);
}

void message_end(struct engine *engine, struct message_row *row, enum message_status to,
                 enum message_error error, struct text detail)
{
    assert(message_status_is_back(to));
    if (row->outbox_ms != 0)
        outbox_delete(engine, row);
    if (row->status == MESSAGE_SENDING)
        sending_delete(engine, row->number);
    message_set_due(engine, row, 0);
    message_return_quota(engine, row);
    message_move(engine, row, to, error, detail);
    message_finish(engine, row, engine->command->now_ms);
    refund(engine, row, 0);
    message_tell(engine, row);
    message_store(engine, row);
}

/* --- into the outbox -----------------------------------------------------------------------------
 */

void message_queue(struct engine *engine, struct message_row *row, int64_t at_ms,
                   enum message_error error, struct text detail)
{
    struct message_text_row text;

    message_text_row_find(engine->txn, row->number, &text);
    /* A further attempt would have the number of an earlier one. */
    if (row->attempts == UINT16_MAX)
        at_ms = text.expire_at_ms;
    if (at_ms >= text.expire_at_ms && row->status != MESSAGE_UNDELIVERED) {
        message_end(engine, row, MESSAGE_FAILED,
                    error == MESSAGE_ERROR_NONE ? MESSAGE_ERROR_EXPIRED : error, detail);
        return;
    }
    if (row->status == MESSAGE_SENDING)
        sending_delete(engine, row->number);
    message_move(engine, row, MESSAGE_QUEUED, error, detail);
    message_set_due(engine, row, text.expire_at_ms);
    outbox_put(engine, row, at_ms);
    message_store(engine, row);
}

bool message_take_next_route(struct engine *engine, struct message_row *row)
{
    uint64_t tried[MESSAGE_TRIED_MAX + 1];
    size_t count = row->tried_count;
    struct catalog_thing company;
    struct route_choice choice;
    char company_id[CATALOG_ID_MAX];
    enum route_kind kind =
        row->kind == MESSAGE_KIND_VERIFICATION ? ROUTE_KIND_VERIFICATION : ROUTE_KIND_GENERAL;

    if (count == MESSAGE_TRIED_MAX || row->attempts == UINT16_MAX)
        return false;
    memcpy(tried, row->tried, sizeof row->tried);
    tried[count++] = row->product;
    if (!catalog_find_number(engine->txn, CATALOG_COMPANY, row->company, &company))
        assert(!"a message without its company");
    memcpy(company_id, company.id.data, company.id.size);
    if (route_choose(engine, (struct text){company_id, company.id.size},
                     (struct text){row->country, sizeof row->country}, kind, tried, count,
                     &choice) != OUTCOME_OK ||
        quota_take(engine, choice.product, row->parts) != OUTCOME_OK)
        return false;
    row->tried[row->tried_count++] = row->product;
    row->product = choice.product;
    row->flags =
        (uint8_t)(choice.failover_on_undelivered ? row->flags | MESSAGE_HAS_FAILOVER
                                                 : row->flags & ~(unsigned)MESSAGE_HAS_FAILOVER);
    message_note_quota(engine, row);
    row->failures = row->throttles = 0;
    return true;
}
