/* The load generator's reading of replies: the same result wherever the stream is cut, and nothing
 * taken for a reply that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bench/load/reply.h"

/* What was read: "201+ 402 !" is a 201 with the wanted text, a 402 without, then something
 * malformed. */
static char seen[512];

static void feed(struct reply_parser *parser, const char *data, size_t size)
{
    /* A copy of just that size, so that reading past it is noticed. */
    char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    const char *at = copy, *end = copy + size;
    enum reply_result result;
    while ((result = reply_next(parser, &at, end)) == REPLY_COMPLETE) {
        size_t used = strlen(seen);
        snprintf(seen + used, sizeof seen - used, "%d%s ", parser->status,
                 parser->has_text ? "+" : "");
    }
    if (result == REPLY_MALFORMED)
        snprintf(seen + strlen(seen), 2, "!");
    else
        assert_ptr_equal(at, end);
    free(copy);
}

static void begin(struct reply_parser *parser, enum reply_protocol protocol, const char *text)
{
    seen[0] = '\0';
    reply_init(parser, protocol, text);
}

/* Whole, cut once at every byte, cut twice at every pair of bytes, and byte by byte. */
static void assert_read(enum reply_protocol protocol, const char *text, const char *stream,
                        const char *expected)
{
    struct reply_parser parser;
    size_t size = strlen(stream);

    for (size_t first = 0; first <= size; first++) {
        for (size_t second = first; second <= size; second++) {
            begin(&parser, protocol, text);
            feed(&parser, stream, first);
            feed(&parser, stream + first, second - first);
            feed(&parser, stream + second, size - second);
            assert_string_equal(seen, expected);
        }
    }
    begin(&parser, protocol, text);
    for (size_t i = 0; i < size; i++)
        feed(&parser, stream + i, 1);
    assert_string_equal(seen, expected);
}

static void assert_malformed(enum reply_protocol protocol, const char *stream)
{
    struct reply_parser parser;
    begin(&parser, protocol, NULL);
    feed(&parser, stream, strlen(stream));
    assert_string_equal(seen, "!");
    assert_non_null(parser.why);
}

static void pipelined_replies_are_read_wherever_they_are_cut(void **state)
{
    (void)state;
    assert_read(REPLY_HTTP, NULL,
                "HTTP/1.1 201 Created\r\nServer: x\r\ncontent-length: 12\r\nX: "
                "y\r\n\r\n{\"a\":\"\r\n\r\n\"}"
                "HTTP/1.1 402 Payment Required\r\nContent-Length:0\r\n\r\n"
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                "201 402 200 ");
}

static void a_reply_that_has_no_body_by_its_status_needs_no_length(void **state)
{
    (void)state;
    assert_read(REPLY_HTTP, NULL,
                "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz",
                "204 200 ");
}

static void the_wanted_text_is_found_wherever_it_is_cut(void **state)
{
    (void)state;
    assert_read(REPLY_HTTP, "\"failed\":0",
                "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{\"x\":1,\"failed\":0,\"y\":22}"
                "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"failed\":1}"
                "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"failed\":0}",
                "200+ 200 200+ ");
}

static void the_wanted_text_does_not_reach_from_one_reply_into_the_next(void **state)
{
    (void)state;
    assert_read(REPLY_HTTP, "abcd",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\nContent-Length: "
                "2\r\n\r\ncd",
                "200 200 ");
}

static void a_text_that_begins_like_itself_is_found(void **state)
{
    (void)state;
    assert_read(REPLY_HTTP, "aab", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\naaaab.", "200+ ");
    assert_read(REPLY_HTTP, "z", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n..z", "200+ ");
}

static void a_refusal_keeps_the_beginning_of_its_body(void **state)
{
    (void)state;
    struct reply_parser parser;
    const char *stream = "HTTP/1.1 402 No\r\nContent-Length: 9\r\n\r\n{\"c\":\"x\"}";
    begin(&parser, REPLY_HTTP, NULL);
    for (size_t i = 0; i < strlen(stream); i++)
        feed(&parser, stream + i, 1);
    assert_int_equal(parser.sample_size, 9);
    assert_memory_equal(parser.sample, "{\"c\":\"x\"}", 9);
}

static void what_is_no_http_reply_is_malformed(void **state)
{
    (void)state;
    assert_malformed(REPLY_HTTP, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
    assert_malformed(REPLY_HTTP, "HTTP/1.1 20\r\n\r\n");
    assert_malformed(REPLY_HTTP, "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n");
    assert_malformed(REPLY_HTTP, "HTTP/1.1 200 OK\r\n\r\n");
    assert_malformed(REPLY_HTTP, "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
    assert_malformed(REPLY_HTTP, "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\n");
    assert_malformed(REPLY_HTTP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

static void a_head_without_end_is_malformed(void **state)
{
    (void)state;
    struct reply_parser parser;
    begin(&parser, REPLY_HTTP, NULL);
    feed(&parser, "HTTP/1.1 200 OK\r\n", 17);
    for (int i = 0; i < REPLY_HEAD_BYTES_MAX && seen[0] == '\0'; i++)
        feed(&parser, "X: y\r\n", 6);
    assert_string_equal(seen, "!");
}

static void redis_replies_of_every_type_are_read_wherever_they_are_cut(void **state)
{
    (void)state;
    assert_read(REPLY_RESP, NULL, "+OK\r\n:42\r\n$5\r\nhe\r\no\r\n$0\r\n\r\n$-1\r\n*0\r\n*-1\r\n",
                "200 200 200 200 200 200 200 ");
}

static void a_redis_array_is_one_reply_with_all_it_holds(void **state)
{
    (void)state;
    assert_read(REPLY_RESP, NULL, "*3\r\n:1\r\n*2\r\n$1\r\na\r\n+b\r\n$1\r\nc\r\n+OK\r\n",
                "200 200 ");
}

static void a_redis_error_is_a_failure_also_within_an_array(void **state)
{
    (void)state;
    assert_read(REPLY_RESP, NULL, "-ERR no\r\n:1\r\n*2\r\n:1\r\n-ERR no\r\n:1\r\n",
                "500 200 500 200 ");
}

static void what_is_no_redis_reply_is_malformed(void **state)
{
    (void)state;
    assert_malformed(REPLY_RESP, "HTTP/1.1 200 OK\r\n");
    assert_malformed(REPLY_RESP, "$x\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined_replies_are_read_wherever_they_are_cut),
        cmocka_unit_test(a_reply_that_has_no_body_by_its_status_needs_no_length),
        cmocka_unit_test(the_wanted_text_is_found_wherever_it_is_cut),
        cmocka_unit_test(the_wanted_text_does_not_reach_from_one_reply_into_the_next),
        cmocka_unit_test(a_text_that_begins_like_itself_is_found),
        cmocka_unit_test(a_refusal_keeps_the_beginning_of_its_body),
        cmocka_unit_test(what_is_no_http_reply_is_malformed),
        cmocka_unit_test(a_head_without_end_is_malformed),
        cmocka_unit_test(redis_replies_of_every_type_are_read_wherever_they_are_cut),
        cmocka_unit_test(a_redis_array_is_one_reply_with_all_it_holds),
        cmocka_unit_test(a_redis_error_is_a_failure_also_within_an_array),
        cmocka_unit_test(what_is_no_redis_reply_is_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
