/* Framing with llhttp. The parser goes over the head, and over the lines of a chunked body; it is
 * stopped at the end of each such part by callbacks that return HPE_PAUSED, so that everything that
 * is decided is decided here, outside of it, on positions that do not depend on how the bytes came.
 * A body of known length is not shown to it at all. For each request it starts anew: nothing of one
 * request can leak into the next. Never llhttp_pause() in a callback: the state it leaves is not
 * the one behind the callback. */
#include "http/framing.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static int on_part_end(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_part_end,
    .on_chunk_header = on_part_end,
    .on_message_complete = on_part_end, /* reached behind trailers only */
};

void http_framing_init(struct http_framing *framing, size_t header_bytes_max)
{
    llhttp_init(&framing->parser, HTTP_REQUEST, &settings);
    framing->head_bytes = NULL;
    framing->header_bytes_max = header_bytes_max;
    framing->place = HTTP_IN_HEAD;
    framing->refusal = HTTP_REFUSAL_NONE;
    framing->seen = 0;
    framing->part_seen = 0;
    framing->head_size = 0;
    framing->body_size = 0;
    framing->body_taken = 0;
    framing->body_max = 0;
    framing->chunk_left = 0;
    framing->end = 0;
}

static enum http_framing_result refuse(struct http_framing *framing, enum http_refusal refusal)
{
    framing->refusal = refusal;
    return HTTP_FRAMING_REFUSED;
}

static enum http_refusal refusal_of(llhttp_errno_t error, enum http_framing_place place)
{
    if (place == HTTP_IN_CHUNK_LINE || place == HTTP_IN_CHUNK_DATA)
        return HTTP_REFUSAL_CHUNK;
    switch (error) {
    case HPE_INVALID_METHOD:
        return HTTP_REFUSAL_METHOD;
    case HPE_INVALID_URL:
        return HTTP_REFUSAL_TARGET;
    case HPE_INVALID_VERSION:
        return HTTP_REFUSAL_VERSION;
    case HPE_INVALID_HEADER_TOKEN:
    case HPE_UNEXPECTED_SPACE:
        return HTTP_REFUSAL_HEADER;
    case HPE_CR_EXPECTED:
    case HPE_LF_EXPECTED:
        return HTTP_REFUSAL_BARE_LF;
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return HTTP_REFUSAL_CONTENT_LENGTH;
    case HPE_INVALID_TRANSFER_ENCODING:
        return HTTP_REFUSAL_TRANSFER_ENCODING;
    default:
        return HTTP_REFUSAL_SYNTAX;
    }
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

enum feed { FEED_MORE, FEED_PART_END, FEED_ERROR };

/* Shows the parser what is there of the part, up to `part_max` bytes of it. FEED_ERROR: refused,
 * with `too_long` if the part has not ended by then. */
static enum feed feed(struct http_framing *framing, const char *bytes, size_t size, size_t part_max,
                      enum http_refusal too_long)
{
    const char *from = bytes + framing->seen;
    size_t count = min_size(size - framing->seen, part_max - framing->part_seen);
    llhttp_errno_t error = llhttp_execute(&framing->parser, from, count);
    if (error == HPE_PAUSED) {
        count = (size_t)(llhttp_get_error_pos(&framing->parser) - from);
        llhttp_resume(&framing->parser);
    } else if (error != HPE_OK) {
        framing->refusal = refusal_of(error, framing->place);
        return FEED_ERROR;
    }
    framing->seen += count;
    framing->part_seen += count;
    if (error == HPE_PAUSED)
        return FEED_PART_END;
    if (framing->part_seen < part_max)
        return FEED_MORE;
    framing->refusal = too_long;
    return FEED_ERROR;
}

static void begin(struct http_framing *framing, enum http_framing_place place)
{
    framing->place = place;
    framing->part_seen = 0;
}

static enum http_framing_result run_head(struct http_framing *framing, const char *bytes,
                                         size_t size)
{
    enum feed fed = feed(framing, bytes, size, framing->header_bytes_max, HTTP_REFUSAL_HEAD_SIZE);
    if (fed != FEED_PART_END)
        return fed == FEED_MORE ? HTTP_FRAMING_MORE : HTTP_FRAMING_REFUSED;
    framing->head_size = framing->seen;
    framing->head_bytes = bytes;
    enum http_refusal refusal = http_head_read(&framing->head, bytes, framing->head_size);
    return refusal == HTTP_REFUSAL_NONE ? HTTP_FRAMING_HEAD : refuse(framing, refusal);
}

/* The head's spans point into bytes that may have moved since: then they are found again, in the
 * same bytes that were accepted before. */
static void follow_bytes(struct http_framing *framing, const char *bytes)
{
    if (framing->head_bytes == bytes)
        return;
    (void)http_head_read(&framing->head, bytes, framing->head_size);
    framing->head_bytes = bytes;
}

static enum http_framing_result complete(struct http_framing *framing, const char *bytes)
{
    framing->end = framing->seen;
    follow_bytes(framing, bytes);
    framing->head.request.body = (struct http_span){bytes + framing->head_size, framing->body_size};
    return HTTP_FRAMING_REQUEST;
}

static enum http_framing_result run_body(struct http_framing *framing, const char *bytes,
                                         size_t size)
{
    size_t end = framing->head_size + framing->body_size;
    framing->seen = min_size(size, end);
    return framing->seen == end ? complete(framing, bytes) : HTTP_FRAMING_MORE;
}

static enum http_framing_result run_chunk_line(struct http_framing *framing, const char *bytes,
                                               size_t size)
{
    enum feed fed = feed(framing, bytes, size, HTTP_CHUNK_LINE_MAX, HTTP_REFUSAL_CHUNK);
    if (fed != FEED_PART_END)
        return fed == FEED_MORE ? HTTP_FRAMING_MORE : HTTP_FRAMING_REFUSED;
    uint64_t chunk_size = framing->parser.content_length;
    if (chunk_size > framing->body_max - framing->body_taken - framing->body_size)
        return refuse(framing, HTTP_REFUSAL_BODY_SIZE);
    framing->chunk_left = chunk_size == 0 ? 0 : (size_t)chunk_size + 2;
    begin(framing, chunk_size == 0 ? HTTP_IN_TRAILERS : HTTP_IN_CHUNK_DATA);
    return HTTP_FRAMING_MORE;
}

/* The parser checks the line end behind the data; the data moves up to the body's end. */
static enum http_framing_result run_chunk_data(struct http_framing *framing, char *bytes,
                                               size_t size)
{
    char *from = bytes + framing->seen;
    size_t data_left = framing->chunk_left > 2 ? framing->chunk_left - 2 : 0;
    size_t count = min_size(size - framing->seen, framing->chunk_left);
    size_t data = min_size(count, data_left);
    if (llhttp_execute(&framing->parser, from, count) != HPE_OK)
        return refuse(framing, HTTP_REFUSAL_CHUNK);
    memmove(bytes + framing->head_size + framing->body_size, from, data);
    framing->body_size += data;
    framing->seen += count;
    framing->chunk_left -= count;
    if (framing->chunk_left == 0)
        begin(framing, HTTP_IN_CHUNK_LINE);
    return HTTP_FRAMING_MORE;
}

static enum http_framing_result run_trailers(struct http_framing *framing, const char *bytes,
                                             size_t size)
{
    enum feed fed =
        feed(framing, bytes, size, framing->header_bytes_max, HTTP_REFUSAL_TRAILER_SIZE);
    if (fed != FEED_PART_END)
        return fed == FEED_MORE ? HTTP_FRAMING_MORE : HTTP_FRAMING_REFUSED;
    enum http_refusal refusal =
        http_trailers_check(bytes + framing->seen - framing->part_seen, framing->part_seen);
    return refusal == HTTP_REFUSAL_NONE ? complete(framing, bytes) : refuse(framing, refusal);
}

static enum http_framing_result run_place(struct http_framing *framing, char *bytes, size_t size)
{
    switch (framing->place) {
    case HTTP_IN_HEAD:
        return run_head(framing, bytes, size);
    case HTTP_IN_BODY:
        return run_body(framing, bytes, size);
    case HTTP_IN_CHUNK_LINE:
        return run_chunk_line(framing, bytes, size);
    case HTTP_IN_CHUNK_DATA:
        return run_chunk_data(framing, bytes, size);
    case HTTP_IN_TRAILERS:
        break;
    }
    return run_trailers(framing, bytes, size);
}

enum http_framing_result http_framing_run(struct http_framing *framing, char *bytes, size_t size)
{
    enum http_framing_result result;
    do
        result = run_place(framing, bytes, size);
    while (result == HTTP_FRAMING_MORE && framing->seen < size);
    return result;
}

enum http_framing_result http_framing_accept(struct http_framing *framing, size_t body_max)
{
    framing->body_max = body_max;
    if (framing->head.is_chunked) {
        begin(framing, HTTP_IN_CHUNK_LINE);
        return HTTP_FRAMING_MORE;
    }
    if (framing->parser.content_length > body_max)
        return refuse(framing, HTTP_REFUSAL_BODY_SIZE);
    framing->body_size = (size_t)framing->parser.content_length;
    begin(framing, HTTP_IN_BODY);
    return HTTP_FRAMING_MORE;
}

const struct http_request *http_framing_request(struct http_framing *framing, const char *bytes)
{
    if (framing->place == HTTP_IN_HEAD)
        return NULL;
    follow_bytes(framing, bytes);
    return &framing->head.request;
}

bool http_framing_awaits_body(const struct http_framing *framing, size_t size)
{
    return size == framing->head_size && (framing->head.is_chunked || framing->body_size != 0);
}

struct http_span http_framing_body(const struct http_framing *framing, const char *bytes)
{
    if (framing->place == HTTP_IN_HEAD)
        return (struct http_span){NULL, 0};
    size_t size =
        framing->place == HTTP_IN_BODY ? framing->seen - framing->head_size : framing->body_size;
    return (struct http_span){bytes + framing->head_size, size};
}

/* Of a chunked body the gap behind what is joined grows, and http_framing_keep closes it. */
size_t http_framing_take(struct http_framing *framing, char *bytes, size_t size, size_t count)
{
    char *body = bytes + framing->head_size;
    size_t joined = http_framing_body(framing, bytes).size;
    assert(count <= joined && framing->seen == size);
    memmove(body, body + count, joined - count);
    framing->body_size -= count;
    framing->body_taken += count;
    if (framing->place != HTTP_IN_BODY)
        return size;
    framing->seen -= count;
    return size - count;
}

size_t http_framing_keep(struct http_framing *framing, char *bytes, size_t size)
{
    if (framing->place != HTTP_IN_CHUNK_LINE && framing->place != HTTP_IN_CHUNK_DATA &&
        framing->place != HTTP_IN_TRAILERS)
        return size;
    /* A chunk's line is done with as soon as it was looked at, trailers are looked at twice. */
    size_t from = framing->seen - (framing->place == HTTP_IN_TRAILERS ? framing->part_seen : 0);
    size_t gap = from - (framing->head_size + framing->body_size);
    if (gap != 0)
        memmove(bytes + from - gap, bytes + from, size - from);
    framing->seen -= gap;
    return size - gap;
}
