/* Replies of a server, read from a stream that may be cut anywhere, with as little work as can be:
 * of HTTP the status and Content-Length, of RESP (Redis) the lengths. Bodies are skipped, unless a
 * text is wanted in them. Chunked replies and replies without a length are malformed here: no
 * server measured sends them. */
#ifndef BENCH_LOAD_REPLY_H
#define BENCH_LOAD_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reply_result { REPLY_MORE, REPLY_COMPLETE, REPLY_MALFORMED };
enum reply_protocol { REPLY_HTTP, REPLY_RESP };

enum {
    REPLY_HEAD_BYTES_MAX = 4096,
    REPLY_SAMPLE_BYTES_MAX = 400,
    REPLY_TEXT_BYTES_MAX = 64,
};

struct reply_parser {
    enum reply_protocol protocol;
    const char *text; /* wanted in every body; NULL: none */
    size_t text_size;

    int status;      /* of the reply that is complete; of RESP 200, or 500 for an error */
    bool has_text;   /* it was in the body */
    const char *why; /* what is malformed */

    bool is_in_body;
    uint64_t body_left;
    uint64_t elements_left; /* RESP: what arrays still announce; 0 between replies */
    size_t head_size, tail_size, sample_size;
    char tail[REPLY_TEXT_BYTES_MAX];     /* end of the body so far, where the text may have begun */
    char sample[REPLY_SAMPLE_BYTES_MAX]; /* beginning of a body worth showing: a refusal's */
    char head[REPLY_HEAD_BYTES_MAX];     /* beginning of a head that was cut */
};

/* `text` (at most REPLY_TEXT_BYTES_MAX) outlives the parser. */
void reply_init(struct reply_parser *parser, enum reply_protocol protocol, const char *text);
/* Reads on at `*at`, moving it. REPLY_COMPLETE: status and has_text are of the reply that ended at
 * `*at`; REPLY_MORE: all up to `end` was taken. */
enum reply_result reply_next(struct reply_parser *parser, const char **at, const char *end);

#endif
