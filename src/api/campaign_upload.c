/* POST /v1/campaigns/{id}/recipients while it arrives (SMS-14): lines are run in commands of
 * CAMPAIGN_LINES_MAX as they come, some a turn of the loop, so that however many there are nobody
 * else waits. What has not been run yet is held, up to about PENDING_BYTES_MAX and what one read
 * brings; then the client is not read from until it was, and so he is while memory for rows is
 * short. At most batches_max such requests, batches among them, are under way.
 *
 * As with signals, lines, slices and turns of the loop do not
 * begin and end together, and with an Idempotency-Key the slices must be cut the same way each
 * time, however the bytes come: so a slice is CAMPAIGN_LINES_MAX lines that are not blank, good or
 * bad, and each has a key made of the request's and its place. That is what lets a client send a
 * broken upload again, whole, under the same key: what was taken is replayed, and the answer is
 * what it would have been.
 *
 * What is wrong with a line is kept by the command, beside the campaign; the answer shows the
 * first ERRORS_MAX as they were kept. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/body_stream.h"
#include "api/campaigns.h"
#include "api/messages.h"

enum {
    PENDING_BYTES_MAX = 256 << 10,
    LINE_BYTES_MAX = 16384,
    LINES_PER_TURN = 2 * CAMPAIGN_LINES_MAX,
    ERRORS_MAX = 100,
    SLICE_BYTES_MAX = 8 << 20,
};

struct campaign_upload {
    struct body_stream stream; /* first */
    struct api *api;
    uint64_t campaign;
    struct buffer pending;
    size_t offset; /* in it, of what was not looked at yet */
    bool is_ended, is_abandoned, is_scheduled, is_skipping; /* the rest of a line too long */
    void **paused;                                          /* the client is not read from */
    uint64_t line;                                          /* lines begun */
    struct arena texts;                                     /* of the slice being filled */
    struct campaign_line lines[CAMPAIGN_LINES_MAX];
    size_t count;
    struct hash slice_fingerprint;
    uint64_t slices;
    uint64_t accepted, invalid, duplicates;
    struct buffer errors; /* written, of the answer */
    struct json_writer errors_writer;
    size_t error_count;
    enum outcome refusal; /* OUTCOME_OK: none */
    uint64_t hold;
    struct http_deferred *deferred;
    struct buffer headers;
};

/* --- a line --------------------------------------------------------------------------------------
 */

struct recipient_body {
    struct json_text to;
    const struct json_value *params;
    struct json_text client_reference;
};

static const struct json_field recipient_fields[] = {
    {.name = "to",
     .kind = JSON_TEXT,
     .offset = offsetof(struct recipient_body, to),
     .is_required = true,
     .min = 1,
     .max = 64},
    {.name = "params",
     .kind = JSON_ANY,
     .offset = offsetof(struct recipient_body, params),
     .is_nullable = true},
    {.name = "client_reference",
     .kind = JSON_TEXT,
     .offset = offsetof(struct recipient_body, client_reference),
     .is_nullable = true,
     .min = 1,
     .max = REFERENCE_MAX},
};

static struct text keep(struct campaign_upload *upload, struct text text)
{
    if (text.data == NULL)
        return text;
    return (struct text){arena_copy(&upload->texts, text.data, text.size), text.size};
}

static struct text keep_string(struct campaign_upload *upload, const char *string)
{
    return keep(upload, (struct text){string, strlen(string)});
}

static void refuse_line(struct campaign_upload *upload, struct campaign_line *line,
                        const struct json_errors *errors)
{
    const char *pointer = errors->items[0].pointer;

    line->outcome = errors->has_unknown_field ? OUTCOME_UNKNOWN_FIELD : OUTCOME_INVALID;
    line->field = keep_string(upload, *pointer == '/' ? pointer + 1 : pointer);
    line->detail = keep_string(upload, errors->items[0].detail);
}

static void keep_params(struct campaign_upload *upload, struct campaign_line *line,
                        const struct template_param *params, size_t count)
{
    struct template_param *kept = arena_alloc(&upload->texts, count * sizeof *kept);

    for (size_t i = 0; i < count; i++)
        kept[i] =
            (struct template_param){keep(upload, params[i].name), keep(upload, params[i].value)};
    line->params = kept;
    line->param_count = count;
}

static void read_line(struct campaign_upload *upload, struct campaign_line *line, const char *text,
                      size_t size)
{
    struct arena *arena = &upload->api->arena;
    struct template_param params[TEMPLATE_NAMES_MAX];
    struct recipient_body body = {.params = NULL};
    struct json_errors errors;
    size_t param_count = 0;
    uint64_t given;
    const char *why;
    const struct json_value *value = json_parse(arena, text, size, &why);

    json_errors_init(&errors);
    if (value == NULL) {
        line->outcome = OUTCOME_MALFORMED_JSON;
        line->detail = keep_string(upload, why);
        return;
    }
    json_bind(arena, value, recipient_fields, FIELD_COUNT(recipient_fields), &body, &given, "",
              &errors);
    if (body.params != NULL && !json_is_null(body.params))
        param_count = message_take_params(arena, body.params, params, &errors);
    line->to = keep(upload, text_of(body.to));
    if (errors.count > 0) {
        refuse_line(upload, line, &errors);
        return;
    }
    line->client_reference = keep(upload, text_of(body.client_reference));
    if (param_count > 0)
        keep_params(upload, line, params, param_count);
}

/* --- a slice -------------------------------------------------------------------------------------
 */

static struct hash128 key_of_slice(const struct campaign_upload *upload)
{
    struct {
        struct hash128 key;
        uint64_t place;
    } derived = {upload->stream.key, upload->slices};

    return hash128(pipeline_secret(upload->api->pipeline), &derived, sizeof derived);
}

/* Those that a slice has kept, as far as the answer shows them. */
static void show_errors(struct campaign_upload *upload,
                        const struct campaign_recipients_result *result)
{
    struct txn *txn = pipeline_read_begin(upload->api->pipeline);
    char from[CAMPAIGN_KEY_SIZE];
    struct campaign_error error;
    struct txn_walk *walk;

    campaign_key(from, upload->campaign, result->error_first);
    walk = txn_walk(txn, TABLE_CAMPAIGN_ERROR, WALK_UP, from, sizeof from);
    for (uint32_t i = 0; i < result->error_count && upload->error_count < ERRORS_MAX; i++) {
        if (!txn_walk_next(walk) || memcmp(walk->key, from, 8) != 0 ||
            !campaign_error_read(walk->key, walk->key_size, walk->value, walk->value_size, &error))
            break;
        write_campaign_error(&upload->errors_writer, &error);
        upload->error_count++;
    }
    txn_walk_end(walk);
    pipeline_read_end(upload->api->pipeline, txn);
}

static void begin_slice(struct campaign_upload *upload)
{
    upload->count = 0;
    arena_reset(&upload->texts);
    if (upload->stream.has_key)
        hash_init(&upload->slice_fingerprint, pipeline_secret(upload->api->pipeline), false);
}

static void run_slice(struct campaign_upload *upload)
{
    const struct campaign_recipients_result *counts;
    struct command command = {
        .type = COMMAND_CAMPAIGN_RECIPIENTS,
        .has_key = upload->stream.has_key,
        .of.campaign_recipients = {.campaign = upload->campaign,
                                   .lines = upload->lines,
                                   .count = upload->count,
                                   .draft_ms = upload->api->options.campaigns_draft_ms}};
    struct result result;

    if (upload->stream.has_key) {
        command.key = key_of_slice(upload);
        command.fingerprint = hash_finish64(&upload->slice_fingerprint);
    }
    uint64_t hold = pipeline_run(upload->api->pipeline, &command, &result);
    upload->hold = hold > upload->hold ? hold : upload->hold;
    if (result.outcome == OUTCOME_OK) {
        counts = &result.of.campaign_recipients;
        upload->accepted += counts->accepted;
        upload->invalid += counts->invalid;
        upload->duplicates += counts->duplicates;
        if (counts->error_count > 0 && upload->error_count < ERRORS_MAX)
            show_errors(upload, counts);
    } else {
        upload->refusal = result.outcome;
    }
    upload->slices++;
    begin_slice(upload);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void take_line(struct campaign_upload *upload, const char *text, size_t size)
{
    struct campaign_line *line = &upload->lines[upload->count];
    bool is_too_long = upload->is_skipping || size > LINE_BYTES_MAX;

    while (size > 0 && is_space(*text)) {
        text++;
        size--;
    }
    while (size > 0 && is_space(text[size - 1]))
        size--;
    if (size == 0 && !is_too_long)
        return;
    *line = (struct campaign_line){.line = upload->line, .outcome = OUTCOME_OK};
    if (is_too_long) {
        line->outcome = OUTCOME_INVALID;
        line->detail = TEXT("the line is too long");
        size = 0;
    } else {
        read_line(upload, line, text, size);
    }
    arena_reset(&upload->api->arena);
    if (upload->stream.has_key) {
        hash_update(&upload->slice_fingerprint, text, size);
        hash_update(&upload->slice_fingerprint, "\n", 1);
    }
    if (++upload->count == CAMPAIGN_LINES_MAX)
        run_slice(upload);
}

/* --- lines ---------------------------------------------------------------------------------------
 */

/* The next line of what is pending, if it is whole; its end is passed over. */
static bool next_line(struct campaign_upload *upload, const char **text, size_t *size)
{
    size_t left = upload->pending.size - upload->offset;
    const char *end;

    if (left == 0)
        return false;
    *text = upload->pending.data + upload->offset;
    end = memchr(*text, '\n', left);
    if (end == NULL && !upload->is_ended) {
        if (left > LINE_BYTES_MAX) { /* of no use: only its end is looked for */
            upload->is_skipping = true;
            upload->offset = upload->pending.size;
        }
        return false;
    }
    *size = end == NULL ? left : (size_t)(end - *text);
    upload->offset += *size + (end != NULL);
    return true;
}

/* False: none is left that is whole. */
static bool take_lines(struct campaign_upload *upload)
{
    const char *text;
    size_t size;

    for (int i = 0; i < LINES_PER_TURN && upload->refusal == OUTCOME_OK; i++) {
        if (!next_line(upload, &text, &size))
            return false;
        upload->line++;
        take_line(upload, text, size);
        upload->is_skipping = false;
    }
    return upload->refusal == OUTCOME_OK && upload->offset < upload->pending.size;
}

static void forget_taken(struct campaign_upload *upload)
{
    if (upload->refusal != OUTCOME_OK)
        upload->offset = upload->pending.size; /* it is as good as answered */
    buffer_consume(&upload->pending, upload->offset);
    upload->offset = 0;
}

/* --- answering -----------------------------------------------------------------------------------
 */

static void upload_free(struct campaign_upload *upload)
{
    assert(upload->api->batch_count > 0);
    upload->api->batch_count--;
    arena_release(&upload->texts);
    buffer_release(&upload->pending);
    buffer_release(&upload->errors);
    buffer_release(&upload->headers);
    free(upload);
}

static void write_counts(struct campaign_upload *upload, struct buffer *body)
{
    struct json_writer w = json_writer(body);

    json_array_end(&upload->errors_writer);
    json_object_begin(&w, NULL);
    json_int(&w, "accepted", (int64_t)upload->accepted);
    json_int(&w, "invalid", (int64_t)upload->invalid);
    json_int(&w, "duplicates", (int64_t)upload->duplicates);
    json_raw(&w, "errors", upload->errors.data, upload->errors.size);
    json_object_end(&w);
}

static void finish(struct campaign_upload *upload)
{
    const char *type = "application/json";
    struct buffer body;
    int status = 200;

    if (upload->is_skipping) { /* the last line had no end */
        upload->line++;
        take_line(upload, "", 0);
    }
    if (upload->count > 0 && upload->refusal == OUTCOME_OK)
        run_slice(upload);
    buffer_init(&body);
    if (upload->refusal == OUTCOME_OK) {
        write_counts(upload, &body);
    } else {
        type = "application/problem+json";
        status = call_write_problem(&body, upload->refusal, NULL);
        if (status == 503)
            buffer_append_literal(&upload->headers, "Retry-After: 1\r\n");
    }
    http_answer(upload->deferred, status, type, &upload->headers, &body, upload->hold);
    buffer_release(&body);
    upload_free(upload);
}

static void on_turn(void *context);

static void schedule(struct campaign_upload *upload)
{
    if (upload->is_scheduled)
        return;
    upload->is_scheduled = true;
    pipeline_continue(upload->api->pipeline, on_turn, upload);
}

static void read_on(struct campaign_upload *upload)
{
    void **paused = upload->paused;

    upload->paused = NULL;
    if (paused != NULL)
        http_body_resume(paused);
}

static void on_turn(void *context)
{
    struct campaign_upload *upload = context;
    bool has_more;

    upload->is_scheduled = false;
    if (upload->is_abandoned) {
        upload_free(upload);
        return;
    }
    if (upload->refusal == OUTCOME_OK && !pipeline_has_room(upload->api->pipeline)) {
        upload->is_scheduled = true;
        pipeline_continue_with_room(upload->api->pipeline, on_turn, upload);
        return;
    }
    has_more = take_lines(upload);
    forget_taken(upload);
    if (has_more)
        schedule(upload);
    else if (upload->deferred != NULL)
        finish(upload);
    else
        read_on(upload);
}

/* --- what api.c calls ----------------------------------------------------------------------------
 */

static void find_campaign(struct call *call, struct campaign_upload *upload)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct campaign_row row;

    if (!call_find_campaign(call, txn, &row))
        upload->refusal = OUTCOME_CAMPAIGN_NOT_FOUND;
    else
        upload->campaign = row.number;
    upload->hold = pipeline_read_end(call->api->pipeline, txn);
}

static struct body_stream *begin(struct call *call)
{
    struct campaign_upload *upload;

    if (call->api->batch_count >= call->api->options.batches_max)
        return NULL;
    upload = calloc(1, sizeof *upload);
    assert(upload != NULL);
    call->api->batch_count++;
    upload->api = call->api;
    upload->refusal = OUTCOME_OK;
    upload->stream.has_key = call->has_idempotency_key; /* which a slice's beginning looks at */
    arena_init(&upload->texts, SLICE_BYTES_MAX);
    upload->errors_writer = json_writer(&upload->errors);
    json_array_begin(&upload->errors_writer, NULL);
    find_campaign(call, upload);
    begin_slice(upload);
    return &upload->stream;
}

static void abandon(struct body_stream *stream)
{
    struct campaign_upload *upload = (struct campaign_upload *)stream;

    upload->is_abandoned = true;
    upload->paused = NULL;
    if (!upload->is_scheduled)
        upload_free(upload);
}

static void feed(struct body_stream *stream, struct call *call, const char *data, size_t size)
{
    struct campaign_upload *upload = (struct campaign_upload *)stream;

    if (upload->refusal != OUTCOME_OK)
        return;
    buffer_append(&upload->pending, data, size);
    if (upload->pending.size > PENDING_BYTES_MAX) {
        upload->paused = call->request->request_data;
        http_body_pause(call->request);
    }
    schedule(upload);
}

const struct body_stream_type campaign_stream = {begin, feed, abandon};

/* False: the key was used for something else, and that is replied. */
static bool run_key(struct call *call)
{
    struct command command = {.type = COMMAND_BATCH};
    struct result result;

    return !call->has_idempotency_key || call_run(call, &command, &result);
}

void api_campaign_upload(struct call *call)
{
    struct campaign_upload *upload;

    upload = (struct campaign_upload *)call_stream(call);
    if (upload == NULL) {
        call_refuse(call, OUTCOME_OVERLOADED, "too many batches are under way");
        return;
    }
    if (upload->refusal == OUTCOME_CAMPAIGN_NOT_FOUND) {
        call_refuse(call, upload->refusal, NULL);
        return;
    }
    if (!run_key(call))
        return;
    call->stream = NULL; /* it outlives the call */
    buffer_append(&upload->pending, call->request->body.data, call->request->body.size);
    buffer_append(&upload->headers, call->reply->headers->data, call->reply->headers->size);
    upload->is_ended = true;
    upload->hold = call->reply->hold > upload->hold ? call->reply->hold : upload->hold;
    upload->deferred = http_defer(call->reply);
    schedule(upload);
}
