/* Cutting a connection's bytes into requests (RFC 9112 §6). A framing looks at one request at a
 * time; the bytes belong to the caller, begin with the request's first byte and may end anywhere,
 * also behind the request. Bytes are looked at once, however they arrive, and the outcome does not
 * depend on where they were cut.
 *
 * A chunked body is joined in place: the bytes between the end of the head and what was looked at
 * last are overwritten.
 *
 *     http_framing_init(&framing, header_bytes_max);
 *     switch (http_framing_run(&framing, bytes, size)) {
 *     case HTTP_FRAMING_MORE:     keep http_framing_keep() bytes, append more, run again
 *     case HTTP_FRAMING_HEAD:     framing.head is filled; say http_framing_accept, run again
 *     case HTTP_FRAMING_REQUEST:  framing.head.request is whole; the next begins at framing.end
 *     case HTTP_FRAMING_REFUSED:  framing.refusal says why; there is nothing behind it
 *     }
 *
 * Knows no connection and no socket. */
#ifndef SMSD_HTTP_FRAMING_H
#define SMSD_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

#include <llhttp.h>

#include "http/head.h"
#include "http/refusal.h"

enum {
    HTTP_CHUNK_LINE_MAX = 256, /* size, extensions and line end of one chunk */
};

enum http_framing_result {
    HTTP_FRAMING_MORE,
    HTTP_FRAMING_HEAD,
    HTTP_FRAMING_REQUEST,
    HTTP_FRAMING_REFUSED,
};

/* Where in a request the next byte lies. */
enum http_framing_place {
    HTTP_IN_HEAD,
    HTTP_IN_BODY,       /* of known length */
    HTTP_IN_CHUNK_LINE, /* its size and extensions */
    HTTP_IN_CHUNK_DATA, /* and the line end behind it */
    HTTP_IN_TRAILERS,
};

struct http_framing {
    llhttp_t parser;
    struct http_head head;
    const char *head_bytes; /* where `head` was read: if the bytes have moved, it is read again */
    size_t header_bytes_max;
    enum http_framing_place place;
    enum http_refusal refusal;
    size_t seen;       /* bytes of the request that were looked at */
    size_t part_seen;  /* of them, those of the chunk's line or of the trailers */
    size_t head_size;  /* 0 until the head is whole */
    size_t body_size;  /* joined behind the head so far; of known length: all there will be */
    size_t body_taken; /* by http_framing_take: no longer counted above */
    size_t body_max;   /* what http_framing_accept said */
    size_t chunk_left; /* of the chunk's data, with its line end */
    size_t end;
};

void http_framing_init(struct http_framing *framing, size_t header_bytes_max);
enum http_framing_result http_framing_run(struct http_framing *framing, char *bytes, size_t size);
/* After HTTP_FRAMING_HEAD: the body may have so many bytes. HTTP_FRAMING_REFUSED if it is known to
 * have more, otherwise HTTP_FRAMING_MORE. */
enum http_framing_result http_framing_accept(struct http_framing *framing, size_t body_max);
/* What is known of the request, which begins at `bytes`: NULL until its head was accepted. */
const struct http_request *http_framing_request(struct http_framing *framing, const char *bytes);
/* After http_framing_accept: is there a body of which no byte is among the `size` that are there?
 */
bool http_framing_awaits_body(const struct http_framing *framing, size_t size);
/* After HTTP_FRAMING_MORE: what is there of the body and was not taken yet, joined. */
struct http_span http_framing_body(const struct http_framing *framing, const char *bytes);
/* After HTTP_FRAMING_MORE for `size` bytes: the body's first `count` bytes are no longer needed.
 * Says how many bytes are left; http_framing_keep is still to come. */
size_t http_framing_take(struct http_framing *framing, char *bytes, size_t size, size_t count);
/* Before `size` bytes are put elsewhere: moves out what is no longer needed, says how many are
 * left. */
size_t http_framing_keep(struct http_framing *framing, char *bytes, size_t size);

#endif
