/* From bytes to lines, from turn to turn, to the answer. */
#include "api/line_stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- a slice -------------------------------------------------------------------------------------
 */

static struct hash128 key_of_slice(const struct line_stream *lines)
{
    struct {
        struct hash128 key;
        uint64_t place;
    } derived = {lines->stream.key, lines->slices};

    return hash128(pipeline_secret(lines->api->pipeline), &derived, sizeof derived);
}

static void begin_slice(struct line_stream *lines)
{
    if (lines->stream.has_key)
        hash_init(&lines->slice_fingerprint, pipeline_secret(lines->api->pipeline), false);
}

bool line_stream_run(struct line_stream *lines, struct command *command, struct result *result)
{
    command->has_key = lines->stream.has_key;
    if (command->has_key) {
        command->key = key_of_slice(lines);
        command->fingerprint = hash_finish64(&lines->slice_fingerprint);
    }
    deferred_hold(&lines->deferred, pipeline_run(lines->api->pipeline, command, result));
    lines->slices++;
    begin_slice(lines);
    if (result->outcome != OUTCOME_OK)
        lines->refusal = result->outcome;
    return result->outcome == OUTCOME_OK;
}

/* --- lines ---------------------------------------------------------------------------------------
 */

/* The next line of what is pending, if it is whole; its end is passed over. */
static bool next_line(struct line_stream *lines, const char **text, size_t *size)
{
    size_t left = lines->pending.size - lines->offset;
    const char *end;

    if (left == 0)
        return false;
    *text = lines->pending.data + lines->offset;
    end = memchr(*text, '\n', left);
    if (end == NULL && !lines->is_ended) {
        if (left > lines->kind->line_bytes_max) { /* of no use: only its end is looked for */
            lines->is_skipping = true;
            lines->offset = lines->pending.size;
        }
        return false;
    }
    *size = end == NULL ? left : (size_t)(end - *text);
    lines->offset += *size + (end != NULL);
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void take_line(struct line_stream *lines, const char *text, size_t size)
{
    lines->line++;
    if (lines->is_skipping || size > lines->kind->line_bytes_max) {
        lines->is_skipping = false;
        lines->kind->take_too_long(lines);
        return;
    }
    while (size > 0 && is_space(*text)) {
        text++;
        size--;
    }
    while (size > 0 && is_space(text[size - 1]))
        size--;
    if (size > 0)
        lines->kind->take(lines, text, size);
}

/* As many lines as a turn may take. False: none is left that is whole. */
static bool take_lines(struct line_stream *lines)
{
    const char *text;
    size_t size;

    lines->lines_left = lines->kind->lines_per_turn;
    for (; lines->lines_left > 0 && lines->refusal == OUTCOME_OK; lines->lines_left--) {
        if (!next_line(lines, &text, &size))
            return false;
        take_line(lines, text, size);
    }
    return lines->refusal == OUTCOME_OK && lines->offset < lines->pending.size;
}

static void forget_taken(struct line_stream *lines)
{
    if (lines->refusal != OUTCOME_OK)
        lines->offset = lines->pending.size; /* it is as good as answered */
    buffer_consume(&lines->pending, lines->offset);
    lines->offset = 0;
}

/* --- from turn to turn ---------------------------------------------------------------------------
 */

static void line_stream_free(struct line_stream *lines)
{
    assert(lines->api->batch_count > 0);
    lines->api->batch_count--;
    if (lines->kind->release != NULL)
        lines->kind->release(lines);
    buffer_release(&lines->pending);
    deferred_release(&lines->deferred);
    free(lines);
}

static void finish(struct line_stream *lines)
{
    struct json_writer w;
    struct buffer body;

    if (lines->is_skipping) /* the last line had no end */
        take_line(lines, "", 0);
    lines->kind->end(lines);
    if (lines->refusal != OUTCOME_OK) {
        deferred_refuse(&lines->deferred, lines->refusal, NULL);
    } else {
        buffer_init(&body);
        w = json_writer(&body);
        json_object_begin(&w, NULL);
        lines->kind->write(lines, &w);
        json_object_end(&w);
        deferred_answer(&lines->deferred, &body);
        buffer_release(&body);
    }
    line_stream_free(lines);
}

static void on_turn(void *context);

static void schedule(struct line_stream *lines)
{
    if (lines->is_scheduled)
        return;
    lines->is_scheduled = true;
    pipeline_continue(lines->api->pipeline, on_turn, lines);
}

static void read_on(struct line_stream *lines)
{
    void **paused = lines->paused;

    lines->paused = NULL;
    if (paused != NULL)
        http_body_resume(paused);
}

static void on_turn(void *context)
{
    struct line_stream *lines = context;
    bool has_more;

    lines->is_scheduled = false;
    if (lines->is_abandoned) {
        line_stream_free(lines);
        return;
    }
    if (lines->kind->is_patient && lines->refusal == OUTCOME_OK &&
        !pipeline_has_room(lines->api->pipeline)) {
        lines->is_scheduled = true;
        pipeline_continue_with_room(lines->api->pipeline, on_turn, lines);
        return;
    }
    has_more = take_lines(lines);
    forget_taken(lines);
    if (has_more)
        schedule(lines);
    else if (lines->deferred.reply != NULL)
        finish(lines);
    else
        read_on(lines);
}

/* --- from begin to end ---------------------------------------------------------------------------
 */

struct line_stream *line_stream_new(struct call *call, const struct line_stream_kind *kind,
                                    size_t size)
{
    struct line_stream *lines;

    if (call->api->batch_count >= call->api->options.batches_max)
        return NULL;
    lines = calloc(1, size);
    assert(lines != NULL);
    call->api->batch_count++;
    lines->kind = kind;
    lines->api = call->api;
    lines->refusal = OUTCOME_OK;
    lines->stream.has_key = call->has_idempotency_key; /* which a slice's beginning looks at */
    begin_slice(lines);
    return lines;
}

void line_stream_feed(struct body_stream *stream, struct call *call, const char *data, size_t size)
{
    struct line_stream *lines = (struct line_stream *)stream;
    size_t bytes_max = lines->kind->pending_bytes_max;

    if (lines->refusal != OUTCOME_OK)
        return; /* it is as good as answered */
    buffer_append(&lines->pending, data, size);
    if (!lines->kind->is_patient) {
        while (lines->pending.size - lines->offset > bytes_max && take_lines(lines))
            continue;
    } else if (lines->pending.size > bytes_max) {
        lines->paused = call->request->request_data;
        http_body_pause(call->request);
    }
    schedule(lines);
}

void line_stream_abandon(struct body_stream *stream)
{
    struct line_stream *lines = (struct line_stream *)stream;

    lines->is_abandoned = true;
    lines->paused = NULL;
    if (!lines->is_scheduled)
        line_stream_free(lines);
}

/* False: the key was used for something else, and that is replied. */
static bool run_key(struct call *call)
{
    struct command command = {.type = COMMAND_BATCH};
    struct result result;

    return !call->has_idempotency_key || call_run(call, &command, &result);
}

void line_stream_answer(struct call *call, struct line_stream *lines)
{
    if (!run_key(call))
        return;
    call->stream = NULL; /* it outlives the call */
    buffer_append(&lines->pending, call->request->body.data, call->request->body.size);
    lines->is_ended = true;
    call_defer(call, &lines->deferred);
    if (!lines->is_scheduled)
        on_turn(lines);
}
