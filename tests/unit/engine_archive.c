/* engine/archive.c (SMS-19): a record says all that the rows said; the rows go only if they are
 * still as the record has them, and only of what is done with and owes nothing. After every test
 * the audit reads all rows, with what has become history beside them. */
#include "message_world.h"

#include "base/crc32c.h"
#include "base/id.h"
#include "engine/archive.h"
#include "engine/receipt.h"

#define DAY_MS INT64_C(86400000)

enum { KEPT_MAX = 64 };

/* What a test has made history. */
static struct kept {
    struct archived_message message;
    struct buffer record;
} kept[KEPT_MAX];
static size_t kept_count;

static int setup_archive(void **state)
{
    kept_count = 0;
    return setup_messages(state);
}

static int teardown_archive(void **state)
{
    for (size_t i = 0; i < kept_count; i++)
        buffer_release(&kept[i].record);
    return teardown_messages(state);
}

/* NULL: it may not go. */
static struct kept *encode_before(struct world *world, uint64_t message, int64_t before_ms)
{
    struct kept *one = &kept[kept_count];
    struct txn *txn = store_begin(world->store);
    bool is_taken;

    assert_true(kept_count < KEPT_MAX);
    buffer_init(&one->record);
    is_taken = archive_encode(txn, message, before_ms, &one->record, &one->message);
    store_abort(txn);
    kept_count += is_taken;
    return is_taken ? one : NULL;
}

static struct kept *encode(struct world *world, uint64_t message)
{
    return encode_before(world, message, INT64_MAX);
}

static uint32_t archive(struct world *world, const struct kept *one)
{
    struct command command = {.type = COMMAND_MESSAGES_ARCHIVED};
    struct result result;

    command.of.messages_archived = (struct messages_archived_command){&one->message, 1};
    result = apply(world, &command);
    assert_int_equal(result.outcome, OUTCOME_OK);
    return result.of.messages_archived.archived;
}

static void expect_no_rows(struct world *world, uint64_t message)
{
    static const enum table tables[] = {TABLE_MESSAGE_TEXT, TABLE_MESSAGE_EVENT,
                                        TABLE_MESSAGE_TO,   TABLE_MESSAGE_COMPANY,
                                        TABLE_MESSAGE_IDS,  TABLE_MESSAGE_FINISHED};
    struct txn *txn = store_begin(world->store);
    struct message_row row;

    assert_false(message_find(txn, message, &row));
    store_abort(txn);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        assert_int_equal(count_rows(world, tables[i]), 0);
}

static uint64_t delivered(struct world *world, const char *id)
{
    uint64_t message = submit(world, notice());

    accept(world, message, id);
    world->now_ms += 1500;
    receipt(world, id, RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
    return message;
}

static struct history_day_row day_row(struct world *world, uint32_t day)
{
    struct txn *txn = store_begin(world->store);
    struct history_day_row row = {0};

    history_day_find(txn, day, &row);
    store_abort(txn);
    return row;
}

/* One whose life was not ordinary: throttled, refused for now, accepted, failed over, delivered. */
static uint64_t eventful(struct world *world)
{
    const char *ids[] = {"0A1"};
    uint64_t message;
    struct message_submit_command asked = notice();

    put_route(world, "a1", (struct route){.product = "a", .has_failover = true});
    asked.client_reference = TEXT("order 7");
    message = submit(world, asked);
    attempt(world, message, MESSAGE_THROTTLED);
    attempt(world, message, MESSAGE_RETRY);
    answer(world, message, give(world, message), MESSAGE_ACCEPTED, ids, 1);
    world->now_ms += 1000;
    receipt(world, "a1", RECEIPT_UNDELIVERED);
    ids[0] = "other";
    answer(world, message, give(world, message), MESSAGE_ACCEPTED, ids, 1);
    world->now_ms += 1000;
    receipt_by(world, "b", "OTHER", RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
    return message;
}

static void a_record_says_all_that_rows_said(void **state)
{
    struct world *world = *state;
    uint64_t message = eventful(world);
    struct message_event before[MESSAGE_HISTORY_MAX], after[MESSAGE_HISTORY_MAX];
    struct message_row row = row_of(world, message);
    struct txn *txn = store_begin(world->store);
    static struct archive_record record;
    struct message_text text;
    struct kept *one;
    size_t count;

    assert_true(message_text_find(txn, message, &text));
    count = message_history(txn, &row, text.row.send_at_ms, before);
    store_abort(txn);
    one = encode(world, message);
    assert_non_null(one);
    assert_true(archive_decode(one->record.data, one->record.size, &record));
    assert_memory_equal(&record.row, &row, offsetof(struct message_row, tried) + 8);
    assert_memory_equal(&record.text.row, &text.row, sizeof text.row);
    assert_true(text_equals(record.text.content, text.content));
    assert_true(text_equals(record.text.client_reference, TEXT("order 7")));
    assert_int_equal(archive_history(&record, after), count);
    assert_true(count > 6);
    assert_memory_equal(after, before, count * sizeof *after);
    assert_int_equal(record.id_count, 2);
    assert_true(text_equals(record.ids[0].id, TEXT("0A1")));
    assert_int_equal(record.ids[0].product, number_of(world, CATALOG_PRODUCT, "a"));
    assert_true(text_equals(record.ids[1].id, TEXT("other")));
    assert_int_equal(record.ids[1].part, PROVIDER_ID_WHOLE);
    assert_true(record.ids[1].attempt > record.ids[0].attempt);
    assert_true(archive_decode_row(one->record.data, one->record.size, &row));
    assert_int_equal(one->message.to, UINT64_C(8613812345678));
}

/* Each cut and each changed size is found, or leaves what can be read: never more is read than
 * there is. */
static void what_is_no_record_is_not_read(void **state)
{
    struct world *world = *state;
    struct kept *one = encode(world, eventful(world));
    static struct archive_record record;
    char *copy;

    for (size_t size = 0; size < one->record.size; size++) {
        copy = malloc(size + 1);
        memcpy(copy, one->record.data, size);
        assert_false(archive_decode(copy, size, &record));
        free(copy);
    }
    for (size_t at = 0; at < one->record.size; at++) {
        copy = malloc(one->record.size);
        memcpy(copy, one->record.data, one->record.size);
        copy[at] = (char)(copy[at] ^ 0x55);
        archive_decode(copy, one->record.size, &record);
        free(copy);
    }
}

static void what_was_archived_leaves_no_row(void **state)
{
    struct world *world = *state;
    uint64_t message = eventful(world);
    struct kept *one = encode(world, message);
    size_t entries = count_rows(world, TABLE_ENTRY_MARK);
    struct history_day_row row;

    assert_int_equal(archive(world, one), 1);
    expect_no_rows(world, message);
    assert_int_equal(count_rows(world, TABLE_ENTRY_MARK), entries);
    row = day_row(world, id_day(message));
    assert_int_equal(row.messages, 1);
    assert_int_equal(row.charged, audit_charge_weight(message, PRICE));
    assert_int_equal(row.records,
                     audit_record_weight(message, crc32c(0, one->record.data, one->record.size)));
    assert_int_equal(archive(world, one), 0); /* and a second time nothing */
    assert_int_equal(day_row(world, id_day(message)).messages, 1);
}

static void only_what_finished_long_enough_ago_may_go(void **state)
{
    struct world *world = *state;
    uint64_t waiting = submit(world, notice()), done;
    int64_t finished_ms;

    assert_null(encode(world, waiting));
    done = delivered(world, "x1");
    finished_ms = row_of(world, done).finished_ms;
    assert_null(encode_before(world, done, finished_ms));
    assert_non_null(encode_before(world, done, finished_ms + 1));
    accept(world, waiting, "x2");
    assert_null(encode(world, waiting)); /* its receipt is waited for */
    world->now_ms += MESSAGE_RECEIPT_WAIT_MS;
    struct command command = {
        .type = COMMAND_MESSAGE_DUE,
        .of.message_due = {.due_ms = row_of(world, waiting).due_ms, .number = waiting}};
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
    assert_non_null(encode(world, waiting)); /* it stays `sent`, and is done with */
}

static void what_changed_since_stays(void **state)
{
    struct world *world = *state;
    uint64_t message = delivered(world, "x1");
    struct kept *one = encode(world, message), *again;

    receipt(world, "x1", RECEIPT_UNDELIVERED); /* contradicts: an event more */
    assert_int_equal(archive(world, one), 0);
    assert_int_equal(row_of(world, message).event_count, 1);
    again = encode(world, message);
    assert_int_equal(archive(world, again), 1);
    expect_no_rows(world, message);
}

/* A receipt after 72 hours delivers what was `sent`: its row among the finished moves. */
static void what_finishes_again_is_finished_once(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    accept(world, message, "x1");
    assert_int_equal(count_rows(world, TABLE_MESSAGE_FINISHED), 0);
    world->now_ms += MESSAGE_RECEIPT_WAIT_MS;
    struct command command = {
        .type = COMMAND_MESSAGE_DUE,
        .of.message_due = {.due_ms = row_of(world, message).due_ms, .number = message}};
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
    assert_int_equal(count_rows(world, TABLE_MESSAGE_FINISHED), 1);
    world->now_ms += 1000;
    receipt(world, "x1", RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
    assert_int_equal(count_rows(world, TABLE_MESSAGE_FINISHED), 1);
    assert_int_equal(archive(world, encode(world, message)), 1);
    expect_no_rows(world, message);
}

static void what_is_owed_keeps_a_message(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());
    struct message_row row = row_of(world, message);

    attempt(world, message, MESSAGE_REFUSED);
    row = row_of(world, message);
    assert_true(archive_may_take(&row, INT64_MAX));
    row.charged = PRICE; /* as where its account could not take it */
    assert_false(archive_may_take(&row, INT64_MAX));
}

/* The id was given to another message meanwhile: it is that one's. */
static void an_id_given_twice_stays_with_the_later(void **state)
{
    struct world *world = *state;
    uint64_t message = delivered(world, "x1"), later;
    struct kept *one;

    later = submit(world, notice());
    accept(world, later, "x1");
    one = encode(world, message);
    assert_int_equal(archive(world, one), 1);
    receipt(world, "X1", RECEIPT_DELIVERED);
    expect_status(world, later, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
}

static void a_late_receipt_of_an_archived_message_is_kept_as_unknown(void **state)
{
    struct world *world = *state;
    uint64_t message = delivered(world, "x1");

    assert_int_equal(archive(world, encode(world, message)), 1);
    receipt(world, "x1", RECEIPT_UNDELIVERED);
    expect_no_rows(world, message);
    assert_int_equal(count_rows(world, TABLE_RECEIPT), 1);
}

static void feed(struct audit *audit, struct txn *txn, enum table table)
{
    struct txn_walk *walk = txn_walk(txn, table, WALK_UP, NULL, 0);

    while (txn_walk_next(walk))
        audit_row(audit, table, walk->key, walk->key_size, walk->value, walk->value_size);
    txn_walk_end(walk);
}

/* Of days and counters of reports, beside what of history is there. */
static bool audit_says(struct world *world, bool has_records, bool is_changed)
{
    static struct audit audit;
    struct txn *txn = store_begin(world->store);

    audit_init(&audit, true);
    audit_history(&audit);
    feed(&audit, txn, TABLE_REPORT);
    feed(&audit, txn, TABLE_HISTORY_DAY);
    store_abort(txn);
    audit.charged_there = audit.charged_named;
    for (size_t i = 0; i < kept_count && has_records; i++) {
        uint64_t to, company, number = kept[i].message.number;
        char *record = kept[i].record.data;
        size_t text =
            4 + 2 + offsetof(struct message_row, tried) + 2 + sizeof(struct message_text_row);
        if (is_changed)
            record[text] ^= 1;
        assert_true(audit_history_record(&audit, number, record, kept[i].record.size, false, &to,
                                         &company));
        assert_int_equal(to, kept[i].message.to);
    }
    return audit_finish(&audit);
}

static void the_audit_misses_what_history_lost(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < 3; i++) {
        char id[] = {'x', (char)('0' + i), '\0'};
        uint64_t message = delivered(world, id);
        assert_int_equal(archive(world, encode(world, message)), 1);
        world->now_ms += DAY_MS;
    }
    assert_true(audit_says(world, true, false));
    assert_false(audit_says(world, false, false));
    assert_false(audit_says(world, true, true));
}

/* Money stays right: what a dropped message was charged is known for ever. */
static void a_dropped_day_is_remembered_by_its_sums(void **state)
{
    struct world *world = *state;
    uint64_t first = delivered(world, "x1"), second;
    struct command command = {.type = COMMAND_HISTORY_DROP};
    uint32_t day = id_day(first);
    uint64_t charged;

    world->now_ms += DAY_MS;
    second = delivered(world, "x2");
    archive(world, encode(world, first));
    archive(world, encode(world, second));
    charged = day_row(world, day).charged;
    command.of.history_drop.day = day;
    for (int i = 0; i < 2; i++) { /* the second time after a kill, say */
        assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
        assert_int_equal(day_row(world, day).messages, 0);
        assert_int_equal(day_row(world, HISTORY_DAYS_DROPPED).messages, 1);
        assert_int_equal(day_row(world, HISTORY_DAYS_DROPPED).charged, charged);
        assert_int_equal(day_row(world, HISTORY_DAYS_DROPPED).before, day + 1);
    }
    assert_int_equal(day_row(world, id_day(second)).messages, 1);
    assert_true(audit_says(world, true, false)); /* its file may still be there */
}

/* What was owed, say, and could be given back only when the others of its day were dropped. */
static void what_is_archived_after_its_day_was_dropped_is_history_again(void **state)
{
    struct world *world = *state;
    uint64_t first = delivered(world, "x1"), second = delivered(world, "x2");
    struct command command = {.type = COMMAND_HISTORY_DROP};
    uint32_t day = id_day(first);

    assert_int_equal(id_day(second), day);
    archive(world, encode(world, first));
    command.of.history_drop.day = day;
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
    buffer_release(&kept[0].record); /* its file has gone */
    kept_count = 0;
    assert_int_equal(archive(world, encode(world, second)), 1);
    assert_int_equal(day_row(world, day).messages, 1);
    assert_true(audit_says(world, true, false));
    assert_false(audit_says(world, false, false));
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
    assert_int_equal(day_row(world, HISTORY_DAYS_DROPPED).messages, 2);
    assert_true(audit_says(world, false, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_archive, teardown_archive)
        TEST(a_record_says_all_that_rows_said),
        TEST(what_is_no_record_is_not_read),
        TEST(what_was_archived_leaves_no_row),
        TEST(only_what_finished_long_enough_ago_may_go),
        TEST(what_changed_since_stays),
        TEST(what_finishes_again_is_finished_once),
        TEST(what_is_owed_keeps_a_message),
        TEST(an_id_given_twice_stays_with_the_later),
        TEST(a_late_receipt_of_an_archived_message_is_kept_as_unknown),
        TEST(the_audit_misses_what_history_lost),
        TEST(a_dropped_day_is_remembered_by_its_sums),
        TEST(what_is_archived_after_its_day_was_dropped_is_history_again),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
