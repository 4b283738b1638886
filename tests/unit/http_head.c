/* Reading heads: what the parser would let through and this server does not, and where the spans
 * lie. The rows over the wire are in tests/http/; here is what cannot be got past the parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/head.h"

static enum http_refusal read_head(struct http_head *head, const char *text)
{
    return http_head_read(head, text, strlen(text));
}

static void assert_span(struct http_span span, const char *text)
{
    assert_non_null(span.data);
    assert_int_equal(span.size, strlen(text));
    assert_memory_equal(span.data, text, span.size);
}

static void spans_lie_in_the_bytes_that_were_read(void **state)
{
    (void)state;
    static const char text[] =
        "POST /a/b?c=d HTTP/1.1\r\nHost: x\r\nAuthorization:  Bearer k \r\n\r\n";
    struct http_head head;
    assert_int_equal(read_head(&head, text), HTTP_REFUSAL_NONE);
    assert_int_equal(head.request.method, HTTP_METHOD_POST);
    assert_span(head.request.path, "/a/b");
    assert_span(head.request.query, "c=d");
    assert_span(head.request.authorization, "Bearer k");
    assert_ptr_equal(head.request.path.data, text + 5);
    assert_null(head.request.content_type.data);
    assert_null(head.request.body.data);
    assert_false(head.is_close);
    assert_false(head.is_chunked);
}

static void every_method_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum http_method method;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_GET},
        {"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_HEAD},
        {"POST / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_POST},
        {"PUT / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_PUT},
        {"PATCH / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_PATCH},
        {"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_DELETE},
        {"OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_OPTIONS},
        {"LOCK / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_OTHER},
        {"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_OTHER},
        {"MKCOL / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_OTHER},
        {"UNLOCK / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_OTHER},
        {"M-SEARCH / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_METHOD_OTHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_head head;
        assert_int_equal(read_head(&head, rows[i].line), HTTP_REFUSAL_NONE);
        assert_int_equal(head.request.method, rows[i].method);
    }
}

static void what_the_parser_lets_through_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum http_refusal refusal;
    } rows[] = {
        {"GET / HTTP/1.1\nHost: x\r\n\r\n", HTTP_REFUSAL_BARE_LF},
        {"GET / HTTP/1.1\r\nHost: x\n\r\n", HTTP_REFUSAL_BARE_LF},
        {"GET / HTTP/1.1\r\nHost: x\r\n\n", HTTP_REFUSAL_BARE_LF},
        {"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_REFUSAL_BARE_LF},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", HTTP_REFUSAL_FOLD},
        {"GET / HTTP/1.1\r\nHost: x\r\nA:\r\n\tc\r\n\r\n", HTTP_REFUSAL_FOLD},
        {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_REFUSAL_REQUEST_LINE},
        {"GET /  HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_REFUSAL_REQUEST_LINE},
        {"GET /\r\n\r\n", HTTP_REFUSAL_VERSION},
        {"GET\r\n\r\n", HTTP_REFUSAL_REQUEST_LINE},
        {"GET HTTP/1.1\r\n\r\n", HTTP_REFUSAL_VERSION},
        {"GET / HTTP/0.9\r\nHost: x\r\n\r\n", HTTP_REFUSAL_VERSION},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", HTTP_REFUSAL_VERSION},
        {"GET / HTTP/1.2\r\nHost: x\r\n\r\n", HTTP_REFUSAL_VERSION},
        {"GET / HTTP/1.10\r\nHost: x\r\n\r\n", HTTP_REFUSAL_VERSION},
        {"GET / HTTP/1.1\r\n\r\n", HTTP_REFUSAL_HOST},
        {"GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n", HTTP_REFUSAL_HOST},
        {"GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", HTTP_REFUSAL_HEADER},
        {"GET / HTTP/1.1\r\nHost: x\r\nA : a\r\n\r\n", HTTP_REFUSAL_HEADER},
        {"GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n", HTTP_REFUSAL_HEADER},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
         HTTP_REFUSAL_CONTENT_LENGTH},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1 \r\nTransfer-Encoding: chunked\r\n\r\n",
         HTTP_REFUSAL_TRANSFER_ENCODING},
        {"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
         HTTP_REFUSAL_CONTENT_LENGTH},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1a\r\n\r\n", HTTP_REFUSAL_CONTENT_LENGTH},
        {"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \r\n\r\n",
         HTTP_REFUSAL_TRANSFER_ENCODING},
        {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_REFUSAL_TRANSFER_ENCODING},
        {"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_REFUSAL_CONNECT},
        {"GET /#a HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_REFUSAL_TARGET},
        {"GET * HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_REFUSAL_TARGET},
        {"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", HTTP_REFUSAL_TARGET},
        {"GET / HTTP/1.1\r\nHost: x\r\n", HTTP_REFUSAL_SYNTAX},
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\nA: b\r\n\r\n", HTTP_REFUSAL_SYNTAX},
        {"", HTTP_REFUSAL_BARE_LF},
        {"\r\n", HTTP_REFUSAL_BARE_LF},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_head head;
        if (read_head(&head, rows[i].text) != rows[i].refusal)
            fail_msg("row %zu: %s", i, rows[i].text);
    }
}

/* A head is read from memory that ends with it: nothing behind may be touched (the sanitizers
 * watch). */
static void no_cut_of_a_head_is_read_beyond_its_end(void **state)
{
    (void)state;
    static const char text[] =
        "\r\nPOST http://h:1/a?b HTTP/1.1\r\nHost: h\r\nAccept: a\r\nExpect: 100-continue\r\n"
        "Connection: close, keep-alive\r\nContent-Type: a/b\r\nX-Request-Id: r\r\n"
        "Authorization: k\r\nContent-Length: 5\r\nIdempotency-Key: i\r\nX: y\r\n\r\n";
    size_t size = sizeof text - 1;
    for (size_t cut = 0; cut <= size; cut++) {
        struct http_head head;
        char *copy = test_malloc(cut + 1);
        memcpy(copy + 1, text, cut); /* ends where the allocation does */
        enum http_refusal refusal = http_head_read(&head, copy + 1, cut);
        assert_int_equal(refusal == HTTP_REFUSAL_NONE, cut == size);
        test_free(copy);
    }
}

static void connection_and_expect_are_lists_and_words(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(read_head(&head, "GET / HTTP/1.0\r\nConnection: a , Keep-Alive\r\n\r\n"),
                     HTTP_REFUSAL_NONE);
    assert_false(head.is_close);
    assert_true(head.is_http_1_0);
    assert_int_equal(
        read_head(&head, "GET / HTTP/1.1\r\nHost: x\r\nConnection: a\r\nConnection: b,close\r\n"
                         "Expect: 100-Continue\r\n\r\n"),
        HTTP_REFUSAL_NONE);
    assert_true(head.is_close);
    assert_int_equal(head.expectation, HTTP_EXPECTS_CONTINUE);
    assert_int_equal(read_head(&head, "GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continued\r\n\r\n"),
                     HTTP_REFUSAL_NONE);
    assert_int_equal(head.expectation, HTTP_EXPECTS_OTHER);
    assert_int_equal(read_head(&head, "GET / HTTP/1.0\r\nExpect: b\r\n\r\n"), HTTP_REFUSAL_NONE);
    assert_int_equal(head.expectation, HTTP_EXPECTS_NOTHING);
}

static void trailers_are_lines_like_headers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum http_refusal refusal;
    } rows[] = {
        {"\r\n", HTTP_REFUSAL_NONE},
        {"A: b\r\nHost: x\r\nHost: x\r\n\r\n", HTTP_REFUSAL_NONE},
        {"\n", HTTP_REFUSAL_BARE_LF},
        {"A: b\n\r\n", HTTP_REFUSAL_BARE_LF},
        {"A: b\r\n c\r\n\r\n", HTTP_REFUSAL_FOLD},
        {": b\r\n\r\n", HTTP_REFUSAL_HEADER},
        {"A: b\r\n", HTTP_REFUSAL_SYNTAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(http_trailers_check(rows[i].text, strlen(rows[i].text)), rows[i].refusal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_lie_in_the_bytes_that_were_read),
        cmocka_unit_test(every_method_is_told_apart),
        cmocka_unit_test(what_the_parser_lets_through_is_refused),
        cmocka_unit_test(no_cut_of_a_head_is_read_beyond_its_end),
        cmocka_unit_test(connection_and_expect_are_lists_and_words),
        cmocka_unit_test(trailers_are_lines_like_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
