/* Bodies of lines that are run as they come, a slice of lines a command: signals, recipients. Each
 * has a struct of its own that begins with a struct line_stream.
 *
 * Lines, slices and turns of the loop do not begin and end together, and with an Idempotency-Key
 * the slices must be cut the same way each time, however the bytes come: so what ends a slice is a
 * matter of its lines alone, and each slice has a key made of the request's and its place.
 *
 * What was not run yet is held. At most batches_max such requests, batches among them, are under
 * way. One that was abandoned ends; what it has run stays. */
#ifndef SMSD_API_LINE_STREAM_H
#define SMSD_API_LINE_STREAM_H

#include "api/body_stream.h"
#include "api/call.h"
#include "api/deferred.h"

struct line_stream;

struct line_stream_kind {
    size_t line_bytes_max;    /* of a line's; one with more is too long */
    size_t pending_bytes_max; /* held before more is done than waiting for the next turn */
    int lines_per_turn;
    /* Then the client is not read from, and so he is while memory for rows is short. Otherwise more
     * is run at once, and without room for rows the rest is refused. */
    bool is_patient;
    /* Takes a line that is not blank, without the spaces around it; `lines->line` is its number.
     * Runs the slice when it is full. */
    void (*take)(struct line_stream *lines, const char *text, size_t size);
    void (*take_too_long)(struct line_stream *lines);
    /* The last line was taken: runs what is left, unless the request was refused. */
    void (*end)(struct line_stream *lines);
    void (*write)(struct line_stream *lines, struct json_writer *answer);
    void (*release)(struct line_stream *lines); /* what it holds; NULL: nothing */
};

struct line_stream {
    struct body_stream stream; /* first */
    const struct line_stream_kind *kind;
    struct api *api;
    struct buffer pending;
    size_t offset; /* in it, of what was not looked at yet */
    bool is_ended, is_abandoned, is_scheduled, is_skipping; /* the rest of a line too long */
    void **paused;                                          /* the client is not read from */
    uint64_t line;                                          /* lines begun */
    int lines_left;                                         /* of this turn */
    struct hash slice_fingerprint; /* with an idempotency key: the kind's to feed */
    uint64_t slices;
    enum outcome refusal; /* OUTCOME_OK: none; otherwise what comes is not looked at */
    struct deferred deferred;
};

/* Zeros of that size, begun. NULL: too many are under way. */
struct line_stream *line_stream_new(struct call *call, const struct line_stream_kind *kind,
                                    size_t size);
/* For a struct body_stream_type. */
void line_stream_feed(struct body_stream *stream, struct call *call, const char *data, size_t size);
void line_stream_abandon(struct body_stream *stream);

/* Runs a slice's command under the slice's key; the next slice begins. False: it was refused, and
 * so is the request. */
bool line_stream_run(struct line_stream *lines, struct command *command, struct result *result);

/* For the handler: the last bytes have come, and the answer follows. */
void line_stream_answer(struct call *call, struct line_stream *lines);

#endif
