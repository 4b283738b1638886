/* api/statement and api/csv: what is told apart when the same message is fed more than once, and
 * that it does not matter how bytes come. The rest is told over the wire
 * (tests/e2e/test_reconciliation.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "api/csv.h"
#include "api/statement.h"
#include "base/buffer.h"
#include "engine/message.h"
#include "engine/receipt.h"

enum { PRODUCT = 7, FIRST = 1000, END = 2000, BEGUN_MS = 5000 };

static struct statement statement;

static int setup(void **state)
{
    static const struct hash_key secret = {1, 2};

    (void)state;
    statement_init(&statement, &secret, PRODUCT, FIRST, END, BEGUN_MS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    statement_release(&statement);
    return 0;
}

static void add(const char *id, enum statement_status status)
{
    assert_true(statement_add(&statement, statement.line_count + 1, (struct text){id, strlen(id)},
                              status, -1));
}

static void link_to(const char *id, uint64_t message)
{
    char form[64];
    size_t size = provider_id_form((struct text){id, strlen(id)}, form);

    statement_link(
        &statement, (struct text){form, size},
        &(struct provider_id_row){.part = PROVIDER_ID_WHOLE, .attempt = 1, .message = message});
}

static struct message_row delivered(uint64_t number)
{
    return (struct message_row){.status = MESSAGE_DELIVERED,
                                .parts = 1,
                                .attempts = 1,
                                .number = number,
                                .product = PRODUCT,
                                .sent_ms = BEGUN_MS - 1,
                                .finished_ms = BEGUN_MS - 1};
}

static void feed(uint64_t number, bool is_archived)
{
    struct message_row row = delivered(number);

    if (is_archived)
        statement_archived(&statement, &row);
    else
        statement_message(&statement, &row);
}

static void expect(uint64_t matched, uint64_t only_theirs, uint64_t only_ours, uint64_t different)
{
    statement_finish(&statement);
    assert_int_equal(statement.matched, matched);
    assert_int_equal(statement.only_theirs, only_theirs);
    assert_int_equal(statement.only_ours.count, only_ours);
    assert_int_equal(statement.different.count, different);
    assert_false(statement.is_too_large);
}

/* SMS-19, SMS-21: archived between one step and the next, or after a kill. */
static void what_is_in_rows_and_history_is_one_message(void **state)
{
    (void)state;
    add("a", STATEMENT_DELIVERED);
    for (int i = 0; i < 2; i++)
        link_to("A", 1001);
    statement_settle(&statement);
    feed(1001, false);
    feed(1002, false);
    feed(1001, true);
    feed(1002, true);
    feed(1003, true);
    expect(1, 0, 2, 0);
    assert_int_equal(statement.linked[READING_SAME], 1);
}

static void what_is_only_history_is_compared_and_missed_there(void **state)
{
    struct message_row row = delivered(1002);

    (void)state;
    add("a", STATEMENT_DELIVERED);
    add("b", STATEMENT_DELIVERED);
    link_to("a", 1001);
    link_to("b", 1002);
    statement_settle(&statement);
    feed(1001, true);
    row.status = MESSAGE_UNDELIVERED;
    statement_archived(&statement, &row);
    feed(1003, true);
    feed(FIRST - 1, true);
    feed(END, true);
    expect(1, 0, 1, 1);
    assert_int_equal(statement.only_ours.items[0].message, 1003);
}

static void what_is_sent_meanwhile_is_not_missed(void **state)
{
    struct message_row row = delivered(1001);

    (void)state;
    statement_settle(&statement);
    row.sent_ms = BEGUN_MS + 1;
    row.status = MESSAGE_SENT;
    row.finished_ms = 0;
    statement_message(&statement, &row);
    expect(0, 0, 0, 0);
}

static void a_line_without_its_message_is_theirs(void **state)
{
    (void)state;
    add("a", STATEMENT_DELIVERED);
    link_to("a", 1001);
    statement_settle(&statement);
    expect(0, 1, 0, 0);
}

/* However many there are, and however their hashes fall. */
static void every_line_is_found_by_its_id(void **state)
{
    enum { LINES = 20000 };
    char id[32];

    (void)state;
    for (int i = 0; i < LINES; i++) {
        snprintf(id, sizeof id, "ID-%05d", i);
        add(id, STATEMENT_DELIVERED);
    }
    for (int i = 0; i < LINES; i += 2) {
        snprintf(id, sizeof id, "id-%05d", i);
        link_to(id, FIRST + (uint64_t)i);
    }
    statement_settle(&statement);
    for (int i = 0; i < LINES; i += 2)
        feed(FIRST + (uint64_t)i, false);
    expect(LINES / 2, LINES / 2, 0, 0);
}

/* --- CSV -----------------------------------------------------------------------------------------
 */

static struct buffer told;

static void on_record(void *context, uint64_t line, const struct text *fields, size_t count)
{
    (void)context;
    buffer_append_format(&told, "%llu:", (unsigned long long)line);
    if (fields == NULL)
        buffer_append_text(&told, "too long");
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(&told, "<");
        buffer_append(&told, fields[i].data, fields[i].size);
        buffer_append_text(&told, ">");
    }
    buffer_append_text(&told, "\n");
}

static const char *read_in(const char *text, size_t size, size_t first)
{
    static struct csv csv;

    told.size = 0;
    csv_init(&csv, on_record, NULL);
    csv_feed(&csv, text, first);
    for (size_t i = first; i < size; i++)
        csv_feed(&csv, text + i, 1);
    csv_end(&csv);
    buffer_append(&told, "", 1);
    return told.data;
}

static void csv_is_read_as_rfc_4180_has_it(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"a,b\r\nc,d\r\n", "1:<a><b>\n2:<c><d>\n"},
        {"a,b\nc,d", "1:<a><b>\n2:<c><d>\n"},
        {"\xef\xbb\xbf\"a\",b\n", "1:<a><b>\n"},
        {"\xef\xbb"
         "a\n",
         "1:<\xef\xbb"
         "a>\n"},
        {"\"a,\r\nb\",\"c\"\"d\"\r\ne,f\n", "1:<a,\r\nb><c\"d>\n3:<e><f>\n"},
        {",\n\"\",\"\"\r\n", "1:<><>\n2:<><>\n"},
        {"\n\r\na\n\n", "3:<a>\n"},
        {"a\"b,\"c\"d\n", "1:<a\"b><cd>\n"},
        {"a,", "1:<a><>\n"},
        {"\"a", "1:<a>\n"},
        {"a\rb\r\r\n", "1:<a\rb\r>\n"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].text);
        for (size_t first = 0; first <= size; first++)
            assert_string_equal(read_in(cases[i].text, size, first), cases[i].told);
    }
    buffer_release(&told);
}

static void a_record_too_long_ends_with_its_line(void **state)
{
    enum { SIZE = 3 * CSV_RECORD_BYTES_MAX };
    char *text = malloc(SIZE);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', SIZE);
    text[0] = '"';
    text[SIZE / 2] = '\n';
    memcpy(text + SIZE - 4, "\na,b", 4);
    text[SIZE / 2 + 1] = '"';
    assert_string_equal(read_in(text, SIZE, SIZE), "1:too long\n2:too long\n3:<a><b>\n");
    /* Exactly as much as there is room for. */
    memset(text, 'y', CSV_RECORD_BYTES_MAX);
    text[CSV_RECORD_BYTES_MAX] = '\n';
    read_in(text, CSV_RECORD_BYTES_MAX + 1, 0);
    assert_int_equal(told.size, CSV_RECORD_BYTES_MAX + sizeof "1:<>\n");
    free(text);
    buffer_release(&told);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_in_rows_and_history_is_one_message),
        TEST(what_is_only_history_is_compared_and_missed_there),
        TEST(what_is_sent_meanwhile_is_not_missed),
        TEST(a_line_without_its_message_is_theirs),
        TEST(every_line_is_found_by_its_id),
        cmocka_unit_test(csv_is_read_as_rfc_4180_has_it),
        cmocka_unit_test(a_record_too_long_ends_with_its_line),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
