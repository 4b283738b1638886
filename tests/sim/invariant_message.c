/* Messages as engine/message.h says: what each status waits for, and where, and that nothing else
 * waits; that only the table of transitions leads from one to the next (SMS-9); what is charged in
 * which; and that the lists are those of the messages there are. */
#include <string.h>

#include "base/bytes.h"
#include "base/id.h"
#include "engine/archive.h"
#include "engine/catalog.h"
#include "engine/due.h"
#include "engine/message.h"
#include "engine/outbox.h"
#include "engine/route.h"
#include "invariant.h"
#include "wrong.h"

static void count_message(struct invariant_message_sums *sums, int sign, const void *value,
                          size_t size)
{
    struct message_row row;

    must(message_row_read(value, size, &row));
    sums->messages += sign;
    sums->queued += row.status == MESSAGE_QUEUED ? sign : 0;
    sums->sending += row.status == MESSAGE_SENDING ? sign : 0;
    sums->waiting += row.due_ms != 0 ? sign : 0;
    sums->finished += row.finished_ms != 0 ? sign : 0;
}

static void count(struct invariant_message_sums *sums, int sign, enum table table, const char *key,
                  const void *value, size_t size)
{
    switch (table) {
    case TABLE_MESSAGE:
        count_message(sums, sign, value, size);
        break;
    case TABLE_MESSAGE_TEXT:
        sums->text_rows += sign;
        break;
    case TABLE_MESSAGE_TO:
        sums->to_rows += sign;
        break;
    case TABLE_MESSAGE_COMPANY:
        sums->company_rows += sign;
        break;
    case TABLE_OUTBOX:
        sums->outbox_rows += sign;
        break;
    case TABLE_MESSAGE_SENDING:
        sums->sending_rows += sign;
        break;
    case TABLE_MESSAGE_FINISHED:
        sums->finished_rows += sign;
        break;
    case TABLE_WEBHOOK:
        sums->webhooks += sign;
        break;
    case TABLE_RECEIPT:
        sums->receipts += sign;
        break;
    case TABLE_RECEIPT_NUMBER:
        sums->receipt_rows += sign;
        break;
    case TABLE_RECEIVED:
        sums->received += sign;
        break;
    case TABLE_RECEIVED_INDEX:
        sums->received_from_rows += key[0] == 1 ? sign : 0;
        break;
    case TABLE_DUE:
        sums->received_forget_rows += key[8] == DUE_RECEIVED_FORGET ? sign : 0;
        sums->due_rows += key[8] == DUE_MESSAGE ? sign : 0;
        sums->webhook_rows += key[8] == DUE_WEBHOOK ? sign : 0;
        sums->forget_rows += key[8] == DUE_RECEIPT_FORGET ? sign : 0;
        break;
    default:
        break;
    }
}

static void check_sums(const struct invariant_message_sums *sums)
{
    must(sums->text_rows == sums->messages);
    must(sums->to_rows == sums->messages && sums->company_rows == sums->messages);
    if (sums->outbox_rows != sums->queued || sums->sending_rows != sums->sending ||
        sums->due_rows != sums->waiting)
        wrong("%lld messages are queued, %lld sending, %lld wait; rows: %lld, %lld, %lld",
              (long long)sums->queued, (long long)sums->sending, (long long)sums->waiting,
              (long long)sums->outbox_rows, (long long)sums->sending_rows,
              (long long)sums->due_rows);
    must(sums->finished_rows == sums->finished);
    must(sums->webhook_rows == sums->webhooks);
    must(sums->received_from_rows == sums->received &&
         sums->received_forget_rows == sums->received);
    must(sums->receipt_rows == sums->receipts && sums->forget_rows == sums->receipts);
}

/* --- one message ---------------------------------------------------------------------------------
 */

static bool is_there(struct txn *txn, enum table table, const char *key, size_t key_size)
{
    size_t size;

    return txn_get(txn, table, key, key_size, &size) != NULL;
}

/* The one moment that a message in this status waits for; 0: none. */
static int64_t moment_of(const struct message_row *row, const struct message_text_row *text)
{
    switch ((enum message_status)row->status) {
    case MESSAGE_SCHEDULED:
        return text->send_at_ms;
    case MESSAGE_QUEUED:
        return text->expire_at_ms;
    case MESSAGE_SENT:
        return row->finished_ms != 0 ? 0 : row->sent_ms + MESSAGE_RECEIPT_WAIT_MS;
    default:
        return 0;
    }
}

static void check_waiting(struct txn *txn, const struct message_row *row,
                          const struct message_text_row *text)
{
    bool is_queued = row->status == MESSAGE_QUEUED;
    struct outbox_item item = {row->outbox_ms, row->number};
    char key[8];

    bytes_put_u64_be(key, row->number);
    must(row->due_ms == moment_of(row, text));
    must(row->due_ms == 0 || due_is_there(txn, row->due_ms, DUE_MESSAGE, row->number));
    must(is_there(txn, TABLE_MESSAGE_SENDING, key, sizeof key) == (row->status == MESSAGE_SENDING));
    must((row->outbox_ms != 0) == is_queued);
    must(!is_queued || outbox_is_there(txn, row->product, (enum message_kind)row->kind, &item));
    must(!is_queued || row->outbox_ms < text->expire_at_ms); /* it would never go */
}

/* SMS-8: all of it or nothing. */
static void check_charge(const struct message_row *row, const struct message_text_row *text)
{
    bool is_back = row->status == MESSAGE_FAILED || row->status == MESSAGE_CANCELED ||
                   row->status == MESSAGE_REJECTED;

    must(row->charged == text->price * row->parts || (is_back && row->charged == 0));
    must((text->account != 0) == (text->price > 0));
}

static void check_status(const struct message_row *row)
{
    uint16_t all = (uint16_t)((1U << row->parts) - 1);
    bool is_final = row->status >= MESSAGE_DELIVERED;

    must(row->status >= MESSAGE_SCHEDULED && row->status <= MESSAGE_REJECTED);
    must(row->parts >= 1 && row->parts <= MESSAGE_PARTS_MAX);
    must(row->finished_ms != 0 || !is_final);
    must(row->finished_ms == 0 || is_final || row->status == MESSAGE_SENT);
    must(row->status != MESSAGE_SCHEDULED || row->attempts == 0);
    if (row->status >= MESSAGE_SENDING && row->status <= MESSAGE_UNDELIVERED)
        must(row->attempts > 0 && row->sending_ms != 0);
    if (row->status >= MESSAGE_SENT && row->status <= MESSAGE_UNDELIVERED)
        must(row->sent_ms != 0);
    must((row->parts_delivered & ~all) == 0);
    if (row->status == MESSAGE_DELIVERED)
        must(row->parts_delivered == all);
    if (row->status == MESSAGE_SENT)
        must(row->parts_delivered != all);
    for (int i = 0; i < row->tried_count; i++)
        must(row->tried[i] != row->product);
}

/* SMS-19: the archive finds it. */
static void check_finished(struct txn *txn, const struct message_row *row)
{
    char key[MESSAGE_FINISHED_KEY_SIZE];

    message_finished_key(key, row);
    must(row->finished_ms == 0 || is_there(txn, TABLE_MESSAGE_FINISHED, key, sizeof key));
}

static void check_message(struct txn *txn, uint64_t number)
{
    struct message_text_row text;
    struct message_row row;
    char key[MESSAGE_LIST_KEY_SIZE];

    must(message_find(txn, number, &row));
    message_text_row_find(txn, number, &text);
    check_status(&row);
    check_waiting(txn, &row, &text);
    check_charge(&row, &text);
    check_finished(txn, &row);
    must(row.tries <= text.tries_max && !message_is_forgotten(txn, number));
    message_list_key(key, text.to, number);
    must(is_there(txn, TABLE_MESSAGE_TO, key, sizeof key));
    message_list_key(key, row.company, number);
    must(is_there(txn, TABLE_MESSAGE_COMPANY, key, sizeof key));
}

static bool has_some(struct txn *txn, enum table table, const char key[8])
{
    struct txn_walk *walk = txn_walk(txn, table, WALK_UP, key, 8);
    bool is_some = txn_walk_next(walk) && memcmp(walk->key, key, 8) == 0;

    txn_walk_end(walk);
    return is_some;
}

/* SMS-19: nothing is left of it; of the lists the sums say so. */
static void check_gone(struct txn *txn, uint64_t number)
{
    char key[8];

    bytes_put_u64_be(key, number);
    must(!is_there(txn, TABLE_MESSAGE_TEXT, key, sizeof key));
    must(!is_there(txn, TABLE_MESSAGE_SENDING, key, sizeof key));
    must(!has_some(txn, TABLE_MESSAGE_EVENT, key));
    must(!has_some(txn, TABLE_MESSAGE_IDS, key));
}

/* Every moment once, in order, from its acceptance to its end. */
static void check_history(const struct message_row *row, int64_t send_at_ms,
                          const struct message_event *events, size_t count)
{
    must(count > 0 && events[0].at_ms == id_time_ms(row->number));
    must(events[0].status == (send_at_ms != 0 ? MESSAGE_SCHEDULED : MESSAGE_QUEUED));
    for (size_t i = 1; i < count; i++) {
        must(events[i].at_ms >= events[i - 1].at_ms);
        if (events[i].detail_size > 0 || events[i - 1].detail_size > 0)
            continue; /* a late receipt, say */
        if (row->event_count >= MESSAGE_EVENTS_MAX - MESSAGE_EVENTS_KEPT)
            continue; /* what was between is not noted any more */
        if (events[i].at_ms == events[i - 1].at_ms)
            continue; /* a failover and its whole attempt, say, in any order */
        if (events[i].status == events[i - 1].status)
            wrong("%s is said twice", message_status_text(events[i].status));
    }
}

void invariant_message_read(struct txn *txn, uint64_t number)
{
    static struct message_event events[MESSAGE_HISTORY_MAX];
    struct message_text_row text;
    struct message_row row;

    must(message_find(txn, number, &row));
    message_text_row_find(txn, number, &text);
    check_history(&row, text.send_at_ms, events,
                  message_history(txn, &row, text.send_at_ms, events));
}

void invariant_record_read(const struct archive_record *record)
{
    static struct message_event events[MESSAGE_HISTORY_MAX];

    check_history(&record->row, record->text.row.send_at_ms, events,
                  archive_history(record, events));
}

/* --- from one command to the next ----------------------------------------------------------------
 */

static bool is_a_way(int from, int to)
{
    static const struct {
        enum message_status from, to;
    } ways[] = {
#define MESSAGE_TRANSITION(from, to) {MESSAGE_##from, MESSAGE_##to},
#include "engine/message_transition.def"
#undef MESSAGE_TRANSITION
    };

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if ((int)ways[i].from == from && (int)ways[i].to == to)
            return true;
    }
    return false;
}

/* A command may be several steps: an undelivered message goes on at once by another route, and a
 * receipt may have come before the answer that it belongs to. */
static bool may_become(int from, int to)
{
    if (from == to || is_a_way(from, to))
        return true;
    if (from == MESSAGE_SENT)
        return to == MESSAGE_QUEUED;
    return from == MESSAGE_SENDING && (to == MESSAGE_DELIVERED || to == MESSAGE_UNDELIVERED);
}

static void check_change(struct txn *txn, uint64_t number, const void *before, size_t size)
{
    struct message_row old, new;

    must(message_row_read(before, size, &old));
    if (!message_find(txn, number, &new)) {
        must(old.finished_ms != 0 && old.due_ms == 0);
        return;
    }
    if (!may_become(old.status, new.status))
        wrong("a message went from %s to %s", message_status_text((enum message_status)old.status),
              message_status_text((enum message_status) new.status));
    must(old.kind == new.kind &&old.parts == new.parts &&old.encoding == new.encoding);
    must(new.attempts >= old.attempts &&new.event_count >= old.event_count);
    must(new.tries >= old.tries &&new.tried_count >= old.tried_count);
    must(new.event_count <= MESSAGE_EVENTS_MAX);
}

static uint64_t message_of(const struct change *change)
{
    const char *key = (const char *)change->key;

    switch (change->table) {
    case TABLE_MESSAGE:
    case TABLE_MESSAGE_TEXT:
    case TABLE_MESSAGE_SENDING:
        return bytes_get_u64_be(key);
    case TABLE_OUTBOX:
    case TABLE_MESSAGE_TO:
    case TABLE_MESSAGE_COMPANY:
        return bytes_get_u64_be(key + change->key_size - 8);
    case TABLE_DUE:
        return key[8] == DUE_MESSAGE ? bytes_get_u64_be(key + 9) : 0;
    default:
        return 0;
    }
}

static void check_whole(struct txn *txn, uint64_t number)
{
    struct message_row row;

    if (message_find(txn, number, &row))
        check_message(txn, number);
    else
        check_gone(txn, number);
}

void invariant_message_step(struct invariant_message_sums *sums, struct world *world)
{
    uint64_t checked = 0;

    for (size_t i = 0; i < world->changes.count; i++) {
        const struct change *change = &world->changes.items[i];
        const void *before = world->changes.values.data + change->value_at;
        uint64_t message = message_of(change);
        size_t size;
        const void *after =
            txn_get(world->txn, change->table, change->key, change->key_size, &size);
        if (change->was_there)
            count(sums, -1, change->table, (const char *)change->key, before, change->value_size);
        if (after != NULL)
            count(sums, 1, change->table, (const char *)change->key, after, size);
        if (change->table == TABLE_MESSAGE_TEXT)
            must(!change->was_there || after == NULL);
        if (change->table == TABLE_MESSAGE && change->was_there)
            check_change(world->txn, message, before, change->value_size);
        if (message != 0 && message != checked)
            check_whole(world->txn, message);
        checked = message != 0 ? message : checked;
    }
    check_sums(sums);
}

/* --- all of it -----------------------------------------------------------------------------------
 */

struct whole {
    struct world *world;
    struct invariant_message_sums sums;
    uint32_t things, numbers, routes, members;
};

/* A product's row says what its thing in the catalogue does. */
static void check_product(struct txn *txn, const struct product_row *row)
{
    struct catalog_thing product, channel;
    bool is_enabled;

    must(catalog_find_number(txn, CATALOG_PRODUCT, row->number, &product));
    must(row->price == catalog_int(&product, PRODUCT_PRICE));
    must(row->low_warn == catalog_int(&product, PRODUCT_LOW_WARN));
    must(row->low_switch == catalog_int(&product, PRODUCT_LOW_SWITCH));
    must(catalog_find(txn, CATALOG_CHANNEL, catalog_text(&product, PRODUCT_CHANNEL), &channel));
    is_enabled = product.status == CATALOG_ENABLED && channel.status == CATALOG_ENABLED;
    must(((row->flags & PRODUCT_IS_ENABLED) != 0) == is_enabled);
}

/* Each route of a group says what its thing does; the group is in order. */
static void check_group(struct txn *txn, const struct route_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct route_member *member = &members[i];
        struct catalog_thing route, product;
        must(catalog_find_number(txn, CATALOG_ROUTE, member->route, &route));
        must(route.status != CATALOG_VOID);
        must(((member->flags & ROUTE_IS_ENABLED) != 0) == (route.status == CATALOG_ENABLED));
        must(member->sort == catalog_int(&route, ROUTE_SORT));
        must(member->weight == catalog_int(&route, ROUTE_WEIGHT));
        must(catalog_find_number(txn, CATALOG_PRODUCT, member->product, &product));
        must(catalog_find(txn, CATALOG_ROUTE, route.id, &route));
        must(text_equals(catalog_text(&route, ROUTE_PRODUCT), product.id));
        must(i == 0 || members[i - 1].sort < member->sort ||
             (members[i - 1].sort == member->sort && members[i - 1].route < member->route));
    }
}

static void count_thing(struct whole *whole, const void *value)
{
    struct catalog_row row;

    memcpy(&row, value, sizeof row);
    whole->things++;
    whole->routes += row.kind == CATALOG_ROUTE && row.status != CATALOG_VOID;
}

/* What belongs to a message goes with it. */
static void check_owner(struct txn *txn, enum table table, const void *key, const void *value)
{
    struct provider_id_row id;
    struct message_row row;

    if (table == TABLE_MESSAGE_EVENT || table == TABLE_MESSAGE_IDS)
        must(message_find(txn, bytes_get_u64_be(key), &row));
    if (table != TABLE_PROVIDER_ID)
        return;
    memcpy(&id, value, sizeof id);
    must(message_find(txn, id.message, &row));
}

static void on_row(void *context, enum table table, const void *key, size_t key_size,
                   const void *value, size_t value_size)
{
    struct whole *whole = context;
    struct product_row product;
    struct route_member members[VALUE_BYTES_MAX / sizeof(struct route_member)];

    (void)key_size;
    count(&whole->sums, 1, table, key, value, value_size);
    if (table == TABLE_MESSAGE)
        check_message(whole->world->txn, bytes_get_u64_be(key));
    check_owner(whole->world->txn, table, key, value);
    if (table == TABLE_PRODUCT) {
        memcpy(&product, value, sizeof product);
        check_product(whole->world->txn, &product);
    }
    if (table == TABLE_ROUTE) {
        memcpy(members, value, value_size);
        check_group(whole->world->txn, members, value_size / sizeof *members);
        whole->members += (uint32_t)(value_size / sizeof *members);
    }
    if (table == TABLE_CATALOG)
        count_thing(whole, value);
    whole->numbers += table == TABLE_CATALOG_NUMBER;
}

void invariant_message_all(const struct invariant_message_sums *sums, struct world *world)
{
    struct whole whole = {.world = world};

    world_rows(world, on_row, &whole);
    check_sums(&whole.sums);
    must(whole.numbers == whole.things && whole.members == whole.routes);
    must(memcmp(&whole.sums, sums, sizeof *sums) == 0);
}
