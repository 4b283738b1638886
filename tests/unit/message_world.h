/* For tests of messages: the catalogue's world with a company that may send, and each step of a
 * message's life as a line. After every test the audit reads all rows: money, and that whatever
 * waits has its row in due index and outbox. */
#ifndef SMSD_TESTS_MESSAGE_WORLD_H
#define SMSD_TESTS_MESSAGE_WORLD_H

#include "catalog_world.h"

#include "engine/audit.h"
#include "engine/blocklist.h"
#include "engine/entry.h"
#include "engine/ledger.h"
#include "engine/message.h"
#include "engine/message_plan.h"
#include "engine/outbox.h"
#include "engine/template.h"
#include "engine/webhook.h"
#include "store/store_struct.h"

enum { PRICE = 3, PURSE = 10000, AUDIT_ROWS_MAX = 100000 };

#define NO_TEXT   ((struct text){NULL, 0})
#define MINUTE_MS INT64_C(60000)

__attribute__((unused)) static void put_country(struct world *world, const char *id, int64_t code,
                                                bool is_signature_required)
{
    struct catalog_draft draft;
    int64_t length = id[0] == 'C' ? 11 : 8;

    catalog_draft_init(&draft, CATALOG_COUNTRY);
    catalog_draft_text(&draft, COUNTRY_NAME, text_of(id));
    catalog_draft_int(&draft, COUNTRY_CALLING_CODE, code);
    catalog_draft_ints(&draft, COUNTRY_NUMBER_LENGTHS, &length, 1);
    if (id[0] == 'C')
        catalog_draft_texts(&draft, COUNTRY_NUMBER_PREFIXES, &TEXT("1"), 1);
    catalog_draft_int(&draft, COUNTRY_SIGNATURE_REQUIRED, is_signature_required);
    assert_int_equal(put(world, id, &draft), OUTCOME_OK);
}

__attribute__((unused)) static void put_template(struct world *world, const char *id,
                                                 enum message_kind kind, const char *content)
{
    struct catalog_draft draft;

    catalog_draft_init(&draft, CATALOG_TEMPLATE);
    catalog_draft_text(&draft, TEMPLATE_CONTENT, text_of(content));
    catalog_draft_int(&draft, TEMPLATE_KIND, kind);
    assert_int_equal(put(world, id, &draft), OUTCOME_OK);
}

__attribute__((unused)) static void put_priced(struct world *world, const char *id, int64_t price,
                                               enum on_unknown on_unknown)
{
    struct catalog_draft draft;

    catalog_draft_init(&draft, CATALOG_PRODUCT);
    catalog_draft_text(&draft, PRODUCT_CHANNEL, TEXT("channel"));
    catalog_draft_text(&draft, PRODUCT_GATEWAY, TEXT("{\"type\":\"sandbox\"}"));
    catalog_draft_int(&draft, PRODUCT_PRICE, price);
    catalog_draft_int(&draft, PRODUCT_ON_UNKNOWN, on_unknown);
    assert_int_equal(put(world, id, &draft), OUTCOME_OK);
}

__attribute__((unused)) static void put_product_that(struct world *world, const char *id,
                                                     enum on_unknown on_unknown)
{
    put_priced(world, id, PRICE, on_unknown);
}

/* Products a and b, each with a quota of 1000; acme goes by a first and then by b, for both kinds;
 * PURSE in its purse. */
__attribute__((unused)) static int setup_messages(void **state)
{
    struct world *world;

    setup(state);
    world = *state;
    topup(world, "purse", PURSE - 100);
    put_country(world, "CN", 86, false);
    put_country(world, "SG", 65, true);
    put_template(world, "code", MESSAGE_KIND_VERIFICATION, "Your code is {code}");
    put_template(world, "note", MESSAGE_KIND_NOTICE, "Dear {name}, {what}");
    put_product_that(world, "a", ON_UNKNOWN_QUERY);
    put_product_that(world, "b", ON_UNKNOWN_QUERY);
    change_quota(world, "a", 1000);
    change_quota(world, "b", 1000);
    put_route(world, "a1", (struct route){.product = "a"});
    put_route(world, "b1", (struct route){.product = "b", .sort = 1});
    put_route(world, "a2", (struct route){.product = "a", .kind = ROUTE_KIND_VERIFICATION});
    put_route(world, "b2",
              (struct route){.product = "b", .kind = ROUTE_KIND_VERIFICATION, .sort = 1});
    return 0;
}

/* --- the audit of everything ---------------------------------------------------------------------
 */

struct sorted {
    const struct row *row;
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = ((const struct sorted *)a)->row, *y = ((const struct sorted *)b)->row;
    size_t size = x->key_size < y->key_size ? x->key_size : y->key_size;
    int order = memcmp(row_key(x), row_key(y), size);

    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return order != 0 ? order : (x->key_size > y->key_size) - (x->key_size < y->key_size);
}

/* Each table in the order of its keys, as the audit wants it. */
__attribute__((unused)) static void expect_audit(struct world *world)
{
    static struct sorted sorted[AUDIT_ROWS_MAX];
    static struct audit audit;
    const struct overlay *rows = world->store->live;
    size_t count = 0;

    audit_init(&audit, true);
    for (row_ref next = world->store->open.first; next != 0;) {
        const struct row *row = overlay_row(rows, next);
        next = row->next_changed;
        assert_true(count < AUDIT_ROWS_MAX);
        if (!row->is_deleted)
            sorted[count++].row = row;
    }
    qsort(sorted, count, sizeof *sorted, compare_rows);
    for (size_t i = 0; i < count; i++) {
        const struct row *row = sorted[i].row;
        audit_row(&audit, (enum table)row->table, row_key(row), row->key_size,
                  overlay_value(rows, row), row->value_size);
    }
    if (!audit_finish(&audit))
        fail_msg("the audit: %s", audit.fault);
}

__attribute__((unused)) static int teardown_messages(void **state)
{
    expect_audit(*state);
    return teardown(state);
}

/* --- steps ---------------------------------------------------------------------------------------
 */

__attribute__((unused)) static struct message_submit_command notice(void)
{
    return (struct message_submit_command){.company = TEXT("acme"),
                                           .to = TEXT("+8613812345678"),
                                           .content = TEXT("Hello"),
                                           .kind = MESSAGE_KIND_NOTICE,
                                           .callback_url = TEXT("https://client.example/sms"),
                                           .tries_max = 2};
}

__attribute__((unused)) static struct message_submit_command code(void)
{
    static const struct template_param params[] = {{{"code", 4}, {"4711", 4}}};
    struct message_submit_command submit = notice();

    submit.content = NO_TEXT;
    submit.kind = 0;
    submit.template = TEXT("code");
    submit.params = params;
    submit.param_count = 1;
    return submit;
}

__attribute__((unused)) static struct result try_submit(struct world *world,
                                                        struct message_submit_command submit)
{
    struct command command = {.type = COMMAND_MESSAGE_SUBMIT};

    command.of.message_submit = submit;
    return apply(world, &command);
}

/* Its number. */
__attribute__((unused)) static uint64_t submit(struct world *world,
                                               struct message_submit_command asked)
{
    struct result result = try_submit(world, asked);

    assert_int_equal(result.outcome, OUTCOME_OK);
    return result.number;
}

__attribute__((unused)) static struct message_row row_of(struct world *world, uint64_t message)
{
    struct txn *txn = store_begin(world->store);
    struct message_row row;

    assert_true(message_find(txn, message, &row));
    store_abort(txn);
    return row;
}

__attribute__((unused)) static void expect_status(struct world *world, uint64_t message,
                                                  enum message_status status,
                                                  enum message_error error)
{
    struct message_row row = row_of(world, message);

    assert_string_equal(message_status_text((enum message_status)row.status),
                        message_status_text(status));
    assert_int_equal(row.error, error);
}

__attribute__((unused)) static struct result try_send(struct world *world, uint64_t message)
{
    struct command command = {.type = COMMAND_MESSAGE_SENDING};

    command.of.message_sending =
        (struct message_sending_command){message, row_of(world, message).product};
    return apply(world, &command);
}

/* Out of the outbox, at its time. Returns the attempt. */
__attribute__((unused)) static uint32_t give(struct world *world, uint64_t message)
{
    struct message_row row = row_of(world, message);
    struct result result;

    assert_int_equal(row.status, MESSAGE_QUEUED);
    if (world->now_ms < row.outbox_ms)
        world->now_ms = row.outbox_ms;
    result = try_send(world, message);
    assert_int_equal(result.outcome, OUTCOME_OK);
    assert_true(result.of.message_change.is_given);
    return result.of.message_change.row.attempts;
}

__attribute__((unused)) static struct message_change_result
answer(struct world *world, uint64_t message, uint32_t attempt, enum message_answer said,
       const char *const *ids, size_t id_count)
{
    struct command command = {.type = COMMAND_MESSAGE_RESULT};
    struct text texts[16];
    struct result result;

    for (size_t i = 0; i < id_count; i++)
        texts[i] = text_of(ids[i]);
    command.of.message_result = (struct message_result_command){.message = message,
                                                                .attempt = attempt,
                                                                .answer = said,
                                                                .provider_ids = texts,
                                                                .provider_id_count = id_count,
                                                                .detail = TEXT("they say"),
                                                                .can_query = true};
    result = apply(world, &command);
    assert_int_equal(result.outcome, OUTCOME_OK);
    return result.of.message_change;
}

/* An attempt that is refused for now, and so on. */
__attribute__((unused)) static void attempt(struct world *world, uint64_t message,
                                            enum message_answer said)
{
    answer(world, message, give(world, message), said, NULL, 0);
}

__attribute__((unused)) static void accept(struct world *world, uint64_t message, const char *id)
{
    answer(world, message, give(world, message), MESSAGE_ACCEPTED, &id, 1);
    expect_status(world, message, MESSAGE_SENT, MESSAGE_ERROR_NONE);
}

__attribute__((unused)) static void receipt_by(struct world *world, const char *product,
                                               const char *id, enum receipt_status status)
{
    struct command command = {.type = COMMAND_RECEIPT};

    command.of.receipt =
        (struct receipt_command){.product = number_of(world, CATALOG_PRODUCT, product),
                                 .provider_id = text_of(id),
                                 .status = status};
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
}

__attribute__((unused)) static void receipt(struct world *world, const char *id,
                                            enum receipt_status status)
{
    receipt_by(world, "a", id, status);
}

/* --- looks ---------------------------------------------------------------------------------------
 */

/* The account that acme pays from. */
__attribute__((unused)) static struct account_row purse_row(struct world *world)
{
    struct txn *txn = store_begin(world->store);
    struct account account;

    assert_true(account_find(txn, TEXT("purse"), &account));
    store_abort(txn);
    return account.row;
}

__attribute__((unused)) static int64_t purse(struct world *world)
{
    return purse_row(world).balance;
}

__attribute__((unused)) static int64_t quota(struct world *world, const char *product)
{
    return product_row_of(world, product).quota;
}

__attribute__((unused)) static bool is_by(struct world *world, uint64_t message,
                                          const char *product)
{
    return row_of(world, message).product == number_of(world, CATALOG_PRODUCT, product);
}

/* How many rows a table has now. */
__attribute__((unused)) static size_t count_rows(struct world *world, enum table table)
{
    const struct overlay *rows = world->store->live;
    size_t count = 0;

    for (row_ref next = world->store->open.first; next != 0;) {
        const struct row *row = overlay_row(rows, next);
        count += row->table == table && !row->is_deleted;
        next = row->next_changed;
    }
    return count;
}

/* The same of the due index, as far as messages and receipts wait in it. */
__attribute__((unused)) static size_t count_due(struct world *world)
{
    struct txn *txn = store_begin(world->store);
    struct txn_walk *walk = txn_walk(txn, TABLE_DUE, WALK_UP, NULL, 0);
    struct due due;
    size_t count = 0;

    while (txn_walk_next(walk))
        count += due_read_key(walk->key, walk->key_size, &due) && due.kind != DUE_WEBHOOK;
    txn_walk_end(walk);
    store_abort(txn);
    return count;
}

/* What webhooks of a type have as one of their texts, in order. */
__attribute__((unused)) static const char *texts_told(struct world *world, enum webhook_type type,
                                                      int text)
{
    static char told[1024];
    struct txn *txn = store_begin(world->store);
    struct txn_walk *walk = txn_walk(txn, TABLE_WEBHOOK, WALK_UP, NULL, 0);

    told[0] = '\0';
    while (txn_walk_next(walk)) {
        struct webhook webhook;
        size_t size = strlen(told);
        webhook_read(txn, bytes_get_u64_be(walk->key), walk->value, walk->value_size, &webhook);
        if (webhook.row.type == type)
            snprintf(told + size, sizeof told - size, "%s%.*s", size > 0 ? " " : "",
                     (int)webhook.texts[text].size, webhook.texts[text].data);
    }
    txn_walk_end(walk);
    store_abort(txn);
    return told;
}

/* The statuses that were told about messages, in order: "sent delivered". */
__attribute__((unused)) static const char *told(struct world *world)
{
    return texts_told(world, WEBHOOK_MESSAGE_STATUS, 1);
}

/* Its history: "queued sending sent". */
__attribute__((unused)) static const char *history(struct world *world, uint64_t message)
{
    static char statuses[2048];
    struct message_event events[MESSAGE_HISTORY_MAX];
    struct message_row row = row_of(world, message);
    struct txn *txn = store_begin(world->store);
    struct message_text_row text;
    size_t count, size = 0;

    message_text_row_find(txn, message, &text);
    count = message_history(txn, &row, text.send_at_ms, events);
    store_abort(txn);
    statuses[0] = '\0';
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(statuses + size, sizeof statuses - size, "%s%s", i > 0 ? " " : "",
                                 message_status_text(events[i].status));
    return statuses;
}

#endif
