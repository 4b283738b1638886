/* Framing: where requests end, whatever the cut; what is kept of them; what is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "http/framing.h"

enum { HEADER_BYTES_MAX = 300, BODY_MAX = 100000 };

#define HEAD "POST /p HTTP/1.1\r\nHost: x\r\n"

/* Runs until something else than a head, accepting bodies of up to BODY_MAX. */
static enum http_framing_result run(struct http_framing *framing, char *bytes, size_t size)
{
    enum http_framing_result result = http_framing_run(framing, bytes, size);
    if (result == HTTP_FRAMING_HEAD) {
        result = http_framing_accept(framing, BODY_MAX);
        if (result == HTTP_FRAMING_MORE)
            result = http_framing_run(framing, bytes, size);
    }
    return result;
}

/* Feeds a text in pieces of `piece` bytes as a connection would: the bytes move at every piece. */
static enum http_framing_result run_in_pieces(struct http_framing *framing, struct buffer *bytes,
                                              const char *text, size_t size, size_t piece)
{
    enum http_framing_result result = HTTP_FRAMING_MORE;
    http_framing_init(framing, HEADER_BYTES_MAX);
    for (size_t at = 0; at < size && result == HTTP_FRAMING_MORE; at += piece) {
        struct buffer moved;
        size_t kept = http_framing_keep(framing, bytes->data, bytes->size);
        buffer_init(&moved);
        buffer_append(&moved, bytes->data, kept);
        buffer_append(&moved, text + at, size - at < piece ? size - at : piece);
        buffer_release(bytes);
        *bytes = moved;
        result = run(framing, bytes->data, bytes->size);
    }
    return result;
}

static void assert_request(const struct http_framing *framing, const char *body)
{
    assert_int_equal(framing->head.request.body.size, strlen(body));
    assert_memory_equal(framing->head.request.body.data, body, strlen(body));
    assert_int_equal(framing->head.request.path.size, 2);
    assert_memory_equal(framing->head.request.path.data, "/p", 2);
}

static void a_request_ends_with_the_last_byte_of_its_body(void **state)
{
    (void)state;
    char text[] = HEAD "Content-Length: 5\r\n\r\nhelloGET";
    struct http_framing framing;
    size_t size = sizeof text - 1;
    http_framing_init(&framing, HEADER_BYTES_MAX);
    assert_int_equal(run(&framing, text, size - 4), HTTP_FRAMING_MORE);
    assert_int_equal(run(&framing, text, size), HTTP_FRAMING_REQUEST);
    assert_int_equal(framing.end, size - 3);
    assert_request(&framing, "hello");
}

static void chunks_are_joined_and_what_is_behind_stays(void **state)
{
    (void)state;
    char text[] = HEAD
        "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\nGET / HT";
    struct http_framing framing;
    size_t size = sizeof text - 1;
    http_framing_init(&framing, HEADER_BYTES_MAX);
    assert_int_equal(run(&framing, text, size), HTTP_FRAMING_REQUEST);
    assert_request(&framing, "hello");
    assert_int_equal(framing.end, size - 8);
    assert_memory_equal(text + framing.end, "GET / HT", 8);
}

static void the_size_of_the_pieces_does_not_matter(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum http_framing_result result;
        enum http_refusal refusal;
    } rows[] = {
        {HEAD "Content-Length: 5\r\n\r\nhello", HTTP_FRAMING_REQUEST, 0},
        {HEAD
         "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nA: b\r\nC: d\r\n\r\n",
         HTTP_FRAMING_REQUEST, 0},
        {HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n c\r\n\r\n",
         HTTP_FRAMING_REFUSED, HTTP_REFUSAL_FOLD},
        {HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhel\r\n", HTTP_FRAMING_REFUSED,
         HTTP_REFUSAL_CHUNK},
        {HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n186a0\r\n", HTTP_FRAMING_REFUSED,
         HTTP_REFUSAL_BODY_SIZE},
        {HEAD "Content-Length: 100001\r\n\r\n", HTTP_FRAMING_REFUSED, HTTP_REFUSAL_BODY_SIZE},
        {HEAD "X: y\r\n z\r\n\r\n", HTTP_FRAMING_REFUSED, HTTP_REFUSAL_FOLD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].text); piece++) {
            struct http_framing framing;
            struct buffer bytes;
            buffer_init(&bytes);
            assert_int_equal(
                run_in_pieces(&framing, &bytes, rows[i].text, strlen(rows[i].text), piece),
                rows[i].result);
            assert_int_equal(framing.refusal, rows[i].refusal);
            if (rows[i].result == HTTP_FRAMING_REQUEST)
                assert_request(&framing, "hello");
            buffer_release(&bytes);
        }
    }
}

static void a_head_may_have_exactly_the_bytes_allowed(void **state)
{
    (void)state;
    for (int extra = -1; extra <= 1; extra++) {
        char text[HEADER_BYTES_MAX + 64];
        int filler = HEADER_BYTES_MAX + extra - (int)sizeof(HEAD "X: \r\n\r\n") + 1;
        int size = snprintf(text, sizeof text, HEAD "X: %0*d\r\n\r\n", filler, 0);
        assert_int_equal(size, HEADER_BYTES_MAX + extra);
        struct http_framing framing;
        http_framing_init(&framing, HEADER_BYTES_MAX);
        assert_int_equal(run(&framing, text, (size_t)size),
                         extra <= 0 ? HTTP_FRAMING_REQUEST : HTTP_FRAMING_REFUSED);
        assert_int_equal(framing.refusal, extra <= 0 ? HTTP_REFUSAL_NONE : HTTP_REFUSAL_HEAD_SIZE);
    }
}

static void a_chunks_line_is_bounded(void **state)
{
    (void)state;
    for (int extra = 0; extra <= 1; extra++) {
        char text[1024];
        int size = snprintf(text, sizeof text,
                            HEAD "Transfer-Encoding: chunked\r\n\r\n%0*d\r\nx\r\n0\r\n\r\n",
                            HTTP_CHUNK_LINE_MAX - 2 + extra, 1);
        struct http_framing framing;
        http_framing_init(&framing, HEADER_BYTES_MAX);
        assert_int_equal(run(&framing, text, (size_t)size),
                         extra == 0 ? HTTP_FRAMING_REQUEST : HTTP_FRAMING_REFUSED);
        assert_int_equal(framing.refusal, extra == 0 ? HTTP_REFUSAL_NONE : HTTP_REFUSAL_CHUNK);
    }
}

static void what_surrounds_chunks_is_not_kept(void **state)
{
    (void)state;
    static const char head[] = HEAD "Transfer-Encoding: chunked\r\n\r\n";
    static const char chunk[] = "1;extension=value\r\nx\r\n";
    struct http_framing framing;
    struct buffer text, bytes;
    buffer_init(&text);
    buffer_init(&bytes);
    buffer_append(&text, head, sizeof head - 1);
    for (int i = 0; i < 1000; i++)
        buffer_append(&text, chunk, sizeof chunk - 1);
    assert_int_equal(run_in_pieces(&framing, &bytes, text.data, text.size, 100), HTTP_FRAMING_MORE);
    assert_in_range(http_framing_keep(&framing, bytes.data, bytes.size), sizeof head - 1 + 1000,
                    sizeof head - 1 + 1000 + 2);
    buffer_release(&text);
    buffer_release(&bytes);
}

static void what_is_known_of_a_request_follows_its_bytes(void **state)
{
    (void)state;
    static const char text[] = HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
    struct http_framing framing;
    struct buffer bytes;
    buffer_init(&bytes);
    assert_int_equal(run_in_pieces(&framing, &bytes, text, 10, 10), HTTP_FRAMING_MORE);
    assert_null(http_framing_request(&framing, bytes.data));
    buffer_release(&bytes);
    assert_int_equal(run_in_pieces(&framing, &bytes, text, sizeof text - 1, 60), HTTP_FRAMING_MORE);
    char moved[sizeof text];
    size_t kept = http_framing_keep(&framing, bytes.data, bytes.size);
    memcpy(moved, bytes.data, kept);
    buffer_release(&bytes);
    const struct http_request *request = http_framing_request(&framing, moved);
    assert_ptr_equal(request->path.data, moved + 5);
}

static void a_body_is_awaited_until_its_first_byte(void **state)
{
    (void)state;
    char text[] = HEAD "Content-Length: 1\r\n\r\nx";
    size_t head_size = sizeof text - 2;
    struct http_framing framing;
    http_framing_init(&framing, HEADER_BYTES_MAX);
    assert_int_equal(http_framing_run(&framing, text, head_size), HTTP_FRAMING_HEAD);
    assert_int_equal(http_framing_accept(&framing, 1), HTTP_FRAMING_MORE);
    assert_true(http_framing_awaits_body(&framing, head_size));
    assert_false(http_framing_awaits_body(&framing, head_size + 1));
}

/* What a connection does whose handler takes the body as it comes; `body` gets all of it. */
static enum http_framing_result run_and_take(struct http_framing *framing, const char *text,
                                             size_t size, size_t piece, struct buffer *body)
{
    enum http_framing_result result = HTTP_FRAMING_MORE;
    struct buffer bytes = {0};
    http_framing_init(framing, HEADER_BYTES_MAX);
    for (size_t at = 0; at < size && result == HTTP_FRAMING_MORE; at += piece) {
        buffer_append(&bytes, text + at, size - at < piece ? size - at : piece);
        result = run(framing, bytes.data, bytes.size);
        if (result != HTTP_FRAMING_MORE)
            break;
        struct http_span there = http_framing_body(framing, bytes.data);
        size_t count = (there.size + 1) / 2; /* the rest is taken later */
        buffer_append(body, there.data, count);
        if (count != 0)
            bytes.size = http_framing_take(framing, bytes.data, bytes.size, count);
        bytes.size = http_framing_keep(framing, bytes.data, bytes.size);
    }
    if (result == HTTP_FRAMING_REQUEST)
        buffer_append(body, framing->head.request.body.data, framing->head.request.body.size);
    buffer_release(&bytes);
    return result;
}

static void a_body_taken_in_parts_is_whole_whatever_the_cut(void **state)
{
    (void)state;
    static const char *const texts[] = {
        HEAD "Content-Length: 13\r\n\r\nhello, world!",
        HEAD
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n8;x=y\r\n, world!\r\n0\r\nA: b\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t piece = 1; piece <= strlen(texts[i]); piece++) {
            struct http_framing framing;
            struct buffer body = {0};
            assert_int_equal(run_and_take(&framing, texts[i], strlen(texts[i]), piece, &body),
                             HTTP_FRAMING_REQUEST);
            assert_int_equal(body.size, 13);
            assert_memory_equal(body.data, "hello, world!", 13);
            buffer_release(&body);
        }
    }
}

/* A chunk of BODY_MAX bytes and one of one byte more. */
static void what_was_taken_counts_towards_the_bodys_limit(void **state)
{
    (void)state;
    struct buffer text = {0}, body = {0};
    struct http_framing framing;
    buffer_append_literal(&text, HEAD "Transfer-Encoding: chunked\r\n\r\n");
    buffer_append_format(&text, "%x\r\n", BODY_MAX);
    memset(buffer_reserve(&text, BODY_MAX), 'x', BODY_MAX);
    text.size += BODY_MAX;
    buffer_append_literal(&text, "\r\n1\r\nx\r\n0\r\n\r\n");
    assert_int_equal(run_and_take(&framing, text.data, text.size, 1000, &body),
                     HTTP_FRAMING_REFUSED);
    assert_int_equal(framing.refusal, HTTP_REFUSAL_BODY_SIZE);
    buffer_release(&text);
    buffer_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_taken_in_parts_is_whole_whatever_the_cut),
        cmocka_unit_test(what_was_taken_counts_towards_the_bodys_limit),
        cmocka_unit_test(a_request_ends_with_the_last_byte_of_its_body),
        cmocka_unit_test(chunks_are_joined_and_what_is_behind_stays),
        cmocka_unit_test(the_size_of_the_pieces_does_not_matter),
        cmocka_unit_test(a_head_may_have_exactly_the_bytes_allowed),
        cmocka_unit_test(a_chunks_line_is_bounded),
        cmocka_unit_test(what_surrounds_chunks_is_not_kept),
        cmocka_unit_test(what_is_known_of_a_request_follows_its_bytes),
        cmocka_unit_test(a_body_is_awaited_until_its_first_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
