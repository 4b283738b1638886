/* Replies as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "http/refusal.h"
#include "http/reply.h"
#include "http/server.h"
#include "http/status.h"

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static struct buffer written, headers, body;

static int tear_down(void **state)
{
    (void)state;
    buffer_release(&written);
    buffer_release(&headers);
    buffer_release(&body);
    return 0;
}

static void assert_written(struct http_manner manner, int status, const char *content_type,
                           const char *expected)
{
    written.size = 0;
    http_reply_append(&written, DATE, manner, status, content_type, &headers, &body);
    assert_int_equal(written.size, strlen(expected));
    assert_memory_equal(written.data, expected, written.size);
}

static void a_reply_is_status_date_type_length_and_body(void **state)
{
    (void)state;
    buffer_append_literal(&body, "{}");
    assert_written((struct http_manner){0}, 201, "application/json",
                   "HTTP/1.1 201 Created\r\n" DATE
                   "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

static void the_handlers_headers_come_last(void **state)
{
    (void)state;
    buffer_append_literal(&body, "{}");
    buffer_append_literal(&headers, "A: b\r\nC: d\r\n");
    assert_written((struct http_manner){.is_close = true}, 200, "a/b",
                   "HTTP/1.1 200 OK\r\n" DATE "Content-Type: a/b\r\nContent-Length: 2\r\n"
                   "Connection: close\r\nA: b\r\nC: d\r\n\r\n{}");
}

static void a_head_request_gets_the_length_alone(void **state)
{
    (void)state;
    buffer_append_literal(&body, "{}");
    assert_written((struct http_manner){.is_head = true}, 200, "a/b",
                   "HTTP/1.1 200 OK\r\n" DATE "Content-Type: a/b\r\nContent-Length: 2\r\n\r\n");
}

static void http_1_0_is_told_that_the_connection_stays(void **state)
{
    (void)state;
    assert_written((struct http_manner){.is_http_1_0 = true}, 200, NULL,
                   "HTTP/1.1 200 OK\r\n" DATE
                   "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    assert_written((struct http_manner){.is_http_1_0 = true, .is_close = true}, 200, NULL,
                   "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\nConnection: close\r\n\r\n");
}

static void without_a_type_there_is_no_body(void **state)
{
    (void)state;
    buffer_append_literal(&body, "left behind");
    assert_written((struct http_manner){0}, 202, NULL,
                   "HTTP/1.1 202 Accepted\r\n" DATE "Content-Length: 0\r\n\r\n");
}

static void statuses_that_have_no_body_say_nothing_of_it(void **state)
{
    (void)state;
    buffer_append_literal(&body, "left behind");
    assert_written((struct http_manner){0}, 204, "a/b", "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
    assert_written((struct http_manner){0}, 304, "a/b",
                   "HTTP/1.1 304 Not Modified\r\n" DATE "\r\n");
}

static void the_date_is_made_once_a_second(void **state)
{
    (void)state;
    struct http_date date = {0};
    assert_int_equal(strlen(http_date_line(&date, 5000)), HTTP_DATE_LINE_SIZE);
    assert_in_range(date.fresh_until_ms, 5001, 6000);
    date.line[0] = 'x';
    assert_int_equal(http_date_line(&date, date.fresh_until_ms - 1)[0], 'x');
    assert_int_equal(http_date_line(&date, date.fresh_until_ms)[0], 'D');
}

static void every_status_has_its_line_and_text(void **state)
{
    (void)state;
#define STATUS(number, text)                                                                       \
    assert_string_equal(http_status(number)->line, "HTTP/1.1 " #number " " text "\r\n");           \
    assert_int_equal(http_status(number)->size, strlen(http_status(number)->line));                \
    assert_string_equal(http_status_text(number), text);
#include "http/status.def"
#undef STATUS
    assert_null(http_status(199));
    assert_null(http_status(299));
    assert_null(http_status(600));
    assert_null(http_status_text(600));
}

static void every_refusal_has_a_status_that_can_be_written(void **state)
{
    (void)state;
#define REFUSAL(id, number, name, header, text)                                                    \
    assert_non_null(http_status(http_refusal_row(HTTP_REFUSAL_##id)->status));                     \
    assert_int_equal(http_refusal_row(HTTP_REFUSAL_##id)->status, number);                         \
    assert_string_equal(http_refusal_row(HTTP_REFUSAL_##id)->code, name);
#include "http/refusal.def"
#undef REFUSAL
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reply_is_status_date_type_length_and_body),
        TEST(the_handlers_headers_come_last),
        TEST(a_head_request_gets_the_length_alone),
        TEST(http_1_0_is_told_that_the_connection_stays),
        TEST(without_a_type_there_is_no_body),
        TEST(statuses_that_have_no_body_say_nothing_of_it),
        TEST(the_date_is_made_once_a_second),
        TEST(every_status_has_its_line_and_text),
        TEST(every_refusal_has_a_status_that_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
