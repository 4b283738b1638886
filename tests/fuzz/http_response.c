/* Bytes from a hostile provider, as an answer to a request of ours. Besides what the sanitizers
 * see: the same bytes, cut elsewhere, come to the same answer.
 *
 * The first byte chooses the cuts, the second the request's method and the limits. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "http/response.h"

enum { SEED_BYTES = 2, BODY_MAX = 300, HEAD_MAX = 600 };

static enum http_response_result read_cut(struct http_response *response, const char *bytes,
                                          size_t size, unsigned step, bool *has_ended)
{
    enum http_response_result result = HTTP_RESPONSE_MORE;
    for (size_t at = 0; at < size && result == HTTP_RESPONSE_MORE;) {
        size_t count = step == 0 || step > size - at ? size - at : step;
        result = http_response_read(response, bytes + at, count);
        at += count;
    }
    *has_ended = result == HTTP_RESPONSE_MORE;
    return *has_ended ? http_response_end(response) : result;
}

static void compare(const struct http_response *a, const struct http_response *b)
{
    assert(a->parser.status_code == b->parser.status_code);
    assert(a->header_count == b->header_count && a->body.size == b->body.size);
    assert(a->body.size == 0 || memcmp(a->body.data, b->body.data, a->body.size) == 0);
    for (size_t i = 0; i < a->header_count; i++) {
        assert(text_equals(a->headers[i].name, b->headers[i].name));
        assert(text_equals(a->headers[i].value, b->headers[i].value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_response whole, cut;
    bool has_whole_ended, has_cut_ended;
    if (size < SEED_BYTES)
        return 0;
    const char *bytes = (const char *)data + SEED_BYTES;
    size -= SEED_BYTES;
    bool is_to_head = data[1] & 1;
    http_response_init(&whole, is_to_head, HEAD_MAX, BODY_MAX);
    http_response_init(&cut, is_to_head, HEAD_MAX, BODY_MAX);
    enum http_response_result result = read_cut(&whole, bytes, size, 0, &has_whole_ended);
    enum http_response_result other =
        read_cut(&cut, bytes, size, 1U + data[0] % 16, &has_cut_ended);
    assert(result == other && has_whole_ended == has_cut_ended);
    if (result == HTTP_RESPONSE_WHOLE)
        compare(&whole, &cut);
    assert(whole.body.size <= BODY_MAX && whole.head.size <= HEAD_MAX);
    http_response_release(&whole);
    http_response_release(&cut);
    return 0;
}
