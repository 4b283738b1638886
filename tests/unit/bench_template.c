/* The load generator's requests: placeholders of fixed width, filled anew for each sending, and the
 * whole request as it goes over the wire, by HTTP and by RESP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bench/load/options.h"
#include "../../bench/load/request.h"
#include "../../bench/load/template.h"

static struct template template;

static int set_up(void **state)
{
    (void)state;
    template_init(&template);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    template_release(&template);
    return 0;
}

static void add(const char *text)
{
    assert_null(template_add(&template, text, strlen(text)));
}

/* Fills a copy and compares it. */
static void assert_filled(struct values *values, const char *expected)
{
    char *copy = calloc(1, template.size + 1);
    assert_non_null(copy);
    memcpy(copy, template.bytes, template.size);
    template_fill(&template, copy, values);
    assert_string_equal(copy, expected);
    free(copy);
}

static void next_counts_up_at_every_spot(void **state)
{
    (void)state;
    struct values values = {.next = 7};
    add("a{next}b{next}c");
    assert_filled(&values, "a00000007b00000008c");
    assert_filled(&values, "a00000009b00000010c");
}

static void next_begins_again_where_eight_digits_end(void **state)
{
    (void)state;
    struct values values = {.next = 99999999};
    add("{next}");
    assert_filled(&values, "99999999");
    assert_filled(&values, "00000000");
}

static void unique_is_the_tag_of_the_run_and_a_count(void **state)
{
    (void)state;
    struct values values = {.unique = 0xfedcba98765, .unique_tag = 0xdeadbeef};
    add("{\"reference\":\"r{unique}\"}");
    assert_filled(&values, "{\"reference\":\"rdeadbeef0fedcba98765\"}");
    assert_filled(&values, "{\"reference\":\"rdeadbeef0fedcba98766\"}");
}

static void each_id_is_used_so_often_and_the_last_for_good(void **state)
{
    (void)state;
    struct values values = {
        .ids = "pkt_0000000000001pkt_0000000000002", .id_count = 2, .id_uses = 2};
    add("/{id}/");
    assert_filled(&values, "/pkt_0000000000001/");
    assert_filled(&values, "/pkt_0000000000001/");
    for (int i = 0; i < 5; i++)
        assert_filled(&values, "/pkt_0000000000002/");
}

static void json_braces_are_text(void **state)
{
    (void)state;
    struct values values = {0};
    add("{\"a\":{},\"b\":{\"c\":1}}{");
    assert_int_equal(template.spot_count, 0);
    assert_filled(&values, "{\"a\":{},\"b\":{\"c\":1}}{");
}

static void a_placeholder_nobody_knows_is_pointed_at(void **state)
{
    (void)state;
    const char *text = "u{account}-{acount}";
    assert_ptr_equal(template_add(&template, text, strlen(text)), text + 11);
    text = "{next";
    assert_ptr_equal(template_add(&template, text, strlen(text)), text);
}

static uint64_t drawn(struct values *values)
{
    char digits[9] = "";
    template_fill(&template, digits, values);
    return strtoull(digits, NULL, 10);
}

static void accounts_are_drawn_from_the_whole_range_evenly(void **state)
{
    (void)state;
    enum { ACCOUNTS = 10, DRAWS = 100000 };
    struct values values = {.random = 1, .accounts = ACCOUNTS};
    unsigned counts[ACCOUNTS] = {0};

    add("{account}");
    for (int i = 0; i < DRAWS; i++) {
        uint64_t account = drawn(&values);
        assert_true(account < ACCOUNTS);
        counts[account]++;
    }
    for (int i = 0; i < ACCOUNTS; i++) /* ten standard deviations */
        assert_in_range(counts[i], DRAWS / ACCOUNTS - 950, DRAWS / ACCOUNTS + 950);
}

static void a_share_of_the_accounts_is_drawn_for_the_first_time(void **state)
{
    (void)state;
    enum { ACCOUNTS = 1000, DRAWS = 100000 };
    struct values values = {.random = 1,
                            .accounts = ACCOUNTS,
                            .fresh_next = ACCOUNTS,
                            .fresh_threshold = (UINT64_C(5) << 32) / 100};
    uint64_t fresh = 0;

    add("{account}");
    for (int i = 0; i < DRAWS; i++) {
        uint64_t account = drawn(&values);
        if (account >= ACCOUNTS) {
            assert_int_equal(account, ACCOUNTS + fresh);
            fresh++;
        }
    }
    assert_in_range(fresh, DRAWS / 20 - 700, DRAWS / 20 + 700);
}

static void a_request_of_flags_has_its_length_and_its_headers(void **state)
{
    (void)state;
    struct values values = {.next = 3};
    struct load_options options = {.target = "127.0.0.1:8080",
                                   .path = "/v1/accounts/u{next}/topups",
                                   .body = "{\"amount\":5}",
                                   .headers = {"Authorization: Bearer k"},
                                   .header_count = 1};
    request_lay_out(&template, &options);
    assert_filled(&values, "POST /v1/accounts/u00000003/topups HTTP/1.1\r\n"
                           "Host: 127.0.0.1:8080\r\n"
                           "Authorization: Bearer k\r\n"
                           "Content-Length: 12\r\n"
                           "\r\n"
                           "{\"amount\":5}");
}

static void a_request_without_a_body_is_a_get(void **state)
{
    (void)state;
    struct values values = {0};
    struct load_options options = {.target = "unix:/run/smsd.sock", .path = "/healthz"};
    request_lay_out(&template, &options);
    assert_filled(&values, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

static void a_batch_is_an_array_of_items_each_with_values_of_its_own(void **state)
{
    (void)state;
    struct values values = {.next = 1};
    struct load_options options = {
        .target = "a:1", .path = "/b", .body = "{\"n\":\"{next}\"}", .items = 3};
    request_lay_out(&template, &options);
    assert_filled(&values, "POST /b HTTP/1.1\r\nHost: a:1\r\nContent-Length: 52\r\n\r\n"
                           "[{\"n\":\"00000001\"},{\"n\":\"00000002\"},{\"n\":\"00000003\"}]");
}

static void a_batch_of_lines_ends_each_with_a_newline(void **state)
{
    (void)state;
    struct values values = {.next = 1};
    struct load_options options = {.target = "a:1",
                                   .path = "/b",
                                   .body = "{\"n\":\"{next}\"}",
                                   .items = 2,
                                   .item_form = ITEMS_NDJSON};
    request_lay_out(&template, &options);
    assert_filled(&values, "POST /b HTTP/1.1\r\nHost: a:1\r\nContent-Length: 34\r\n\r\n"
                           "{\"n\":\"00000001\"}\n{\"n\":\"00000002\"}\n");
}

static void a_request_file_has_line_headers_and_body(void **state)
{
    (void)state;
    char path[] = "/tmp/bench_template_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    fputs("PUT /v1/x\nContent-Type: text/plain\nIdempotency-Key: {next}\n\nfirst\nsecond\n", file);
    fclose(file);

    struct values values = {0};
    struct load_options options = {.target = "a:1", .request_path = path};
    request_lay_out(&template, &options);
    remove(path);
    assert_filled(&values, "PUT /v1/x HTTP/1.1\r\nHost: a:1\r\nContent-Type: text/plain\r\n"
                           "Idempotency-Key: 00000000\r\nContent-Length: 12\r\n\r\nfirst\nsecond");
}

static void a_redis_command_is_an_array_of_its_words(void **state)
{
    (void)state;
    struct values values = {.next = 5};
    struct load_options options = {.target = "a:1", .command = "SET  a:u{next} 100 "};
    request_lay_out(&template, &options);
    assert_filled(&values, "*3\r\n$3\r\nSET\r\n$11\r\na:u00000005\r\n$3\r\n100\r\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(next_counts_up_at_every_spot),
        TEST(next_begins_again_where_eight_digits_end),
        TEST(unique_is_the_tag_of_the_run_and_a_count),
        TEST(each_id_is_used_so_often_and_the_last_for_good),
        TEST(json_braces_are_text),
        TEST(a_placeholder_nobody_knows_is_pointed_at),
        TEST(accounts_are_drawn_from_the_whole_range_evenly),
        TEST(a_share_of_the_accounts_is_drawn_for_the_first_time),
        TEST(a_request_of_flags_has_its_length_and_its_headers),
        TEST(a_request_without_a_body_is_a_get),
        TEST(a_batch_is_an_array_of_items_each_with_values_of_its_own),
        TEST(a_batch_of_lines_ends_each_with_a_newline),
        TEST(a_request_file_has_line_headers_and_body),
        TEST(a_redis_command_is_an_array_of_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
