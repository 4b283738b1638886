/* POST /v1/campaigns/{id}/recipients while it arrives (SMS-14): lines are run in commands of
 * CAMPAIGN_LINES_MAX as they come, some a turn of the loop, so that however many there are nobody
 * else waits. What has not been run yet is held, up to about PENDING_BYTES_MAX and what one read
 * brings; then the client is not read from until it was, and so he is while memory for rows is
 * short.
 *
 * A slice is CAMPAIGN_LINES_MAX lines that are not blank, good or bad. That is what lets a client
 * send a broken upload again, whole, under the same key: what was taken is replayed, and the answer
 * is what it would have been.
 *
 * What is wrong with a line is kept by the command, beside the campaign; the answer shows the
 * first ERRORS_MAX as they were kept. */
#include <string.h>

#include "api/campaigns.h"
#include "api/line_stream.h"
#include "api/messages.h"

enum {
    PENDING_BYTES_MAX = 256 << 10,
    LINE_BYTES_MAX = 16384,
    LINES_PER_TURN = 2 * CAMPAIGN_LINES_MAX,
    ERRORS_MAX = 100,
    SLICE_BYTES_MAX = 8 << 20,
};

struct campaign_upload {
    struct line_stream lines; /* first */
    uint64_t campaign;
    struct arena texts; /* of the slice being filled */
    struct campaign_line slice[CAMPAIGN_LINES_MAX];
    size_t count; /* in it */
    uint64_t accepted, invalid, duplicates;
    struct buffer errors; /* written, of the answer */
    struct json_writer errors_writer;
    size_t error_count;
};

/* --- a line --------------------------------------------------------------------------------------
 */

struct recipient_body {
    struct json_text to;
    const struct json_value *params;
    struct json_text client_reference;
};

static const struct json_field recipient_fields[] = {
    TEXT_FIELD(struct recipient_body, to, true, 1, 64, NULL, NULL),
    PARAMS_FIELD(struct recipient_body),
    CLIENT_REFERENCE_FIELD(struct recipient_body),
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
    struct arena *arena = &upload->lines.api->arena;
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

/* Those that a slice has kept, as far as the answer shows them. */
static void show_errors(struct campaign_upload *upload,
                        const struct campaign_recipients_result *result)
{
    struct txn *txn = pipeline_read_begin(upload->lines.api->pipeline);
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
    pipeline_read_end(upload->lines.api->pipeline, txn);
}

static void run_slice(struct campaign_upload *upload)
{
    struct command command = {
        .type = COMMAND_CAMPAIGN_RECIPIENTS,
        .of.campaign_recipients = {.campaign = upload->campaign,
                                   .lines = upload->slice,
                                   .count = upload->count,
                                   .draft_ms = upload->lines.api->options.campaigns_draft_ms}};
    const struct campaign_recipients_result *counts;
    struct result result;

    if (line_stream_run(&upload->lines, &command, &result)) {
        counts = &result.of.campaign_recipients;
        upload->accepted += counts->accepted;
        upload->invalid += counts->invalid;
        upload->duplicates += counts->duplicates;
        if (counts->error_count > 0 && upload->error_count < ERRORS_MAX)
            show_errors(upload, counts);
    }
    upload->count = 0;
    arena_reset(&upload->texts);
}

static struct campaign_line *begin_line(struct campaign_upload *upload)
{
    struct campaign_line *line = &upload->slice[upload->count];

    *line = (struct campaign_line){.line = upload->lines.line, .outcome = OUTCOME_OK};
    return line;
}

static void end_line(struct campaign_upload *upload, const char *text, size_t size)
{
    if (upload->lines.stream.has_key) {
        hash_update(&upload->lines.slice_fingerprint, text, size);
        hash_update(&upload->lines.slice_fingerprint, "\n", 1);
    }
    if (++upload->count == CAMPAIGN_LINES_MAX)
        run_slice(upload);
}

static void take(struct line_stream *lines, const char *text, size_t size)
{
    struct campaign_upload *upload = (struct campaign_upload *)lines;

    read_line(upload, begin_line(upload), text, size);
    arena_reset(&lines->api->arena);
    end_line(upload, text, size);
}

static void take_too_long(struct line_stream *lines)
{
    struct campaign_upload *upload = (struct campaign_upload *)lines;
    struct campaign_line *line = begin_line(upload);

    line->outcome = OUTCOME_INVALID;
    line->detail = TEXT("the line is too long");
    end_line(upload, "", 0);
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static void end(struct line_stream *lines)
{
    struct campaign_upload *upload = (struct campaign_upload *)lines;

    if (upload->count > 0 && lines->refusal == OUTCOME_OK)
        run_slice(upload);
}

static void write_counts(struct line_stream *lines, struct json_writer *w)
{
    struct campaign_upload *upload = (struct campaign_upload *)lines;

    json_array_end(&upload->errors_writer);
    json_int(w, "accepted", (int64_t)upload->accepted);
    json_int(w, "invalid", (int64_t)upload->invalid);
    json_int(w, "duplicates", (int64_t)upload->duplicates);
    json_raw(w, "errors", upload->errors.data, upload->errors.size);
}

static void release(struct line_stream *lines)
{
    struct campaign_upload *upload = (struct campaign_upload *)lines;

    arena_release(&upload->texts);
    buffer_release(&upload->errors);
}

static const struct line_stream_kind recipient_lines = {
    .line_bytes_max = LINE_BYTES_MAX,
    .pending_bytes_max = PENDING_BYTES_MAX,
    .lines_per_turn = LINES_PER_TURN,
    .is_patient = true,
    .take = take,
    .take_too_long = take_too_long,
    .end = end,
    .write = write_counts,
    .release = release,
};

static void find_campaign(struct call *call, struct campaign_upload *upload)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct campaign_row row;

    if (!call_find_campaign(call, txn, &row))
        upload->lines.refusal = OUTCOME_CAMPAIGN_NOT_FOUND;
    else
        upload->campaign = row.number;
    deferred_hold(&upload->lines.deferred, pipeline_read_end(call->api->pipeline, txn));
}

static struct body_stream *begin(struct call *call)
{
    struct campaign_upload *upload =
        (struct campaign_upload *)line_stream_new(call, &recipient_lines, sizeof *upload);

    if (upload == NULL)
        return NULL;
    arena_init(&upload->texts, SLICE_BYTES_MAX);
    upload->errors_writer = json_writer(&upload->errors);
    json_array_begin(&upload->errors_writer, NULL);
    find_campaign(call, upload);
    return &upload->lines.stream;
}

const struct body_stream_type campaign_stream = {
    .takes_json = true,
    .bytes_max_at = offsetof(struct api_options, campaigns_upload_bytes_max),
    .begin = begin,
    .feed = line_stream_feed,
    .abandon = line_stream_abandon,
};

void api_campaign_upload(struct call *call)
{
    struct line_stream *lines =
        (struct line_stream *)call_take_stream(call, "too many batches are under way");

    if (lines == NULL)
        return;
    if (lines->refusal == OUTCOME_CAMPAIGN_NOT_FOUND)
        call_refuse(call, lines->refusal, NULL);
    else
        line_stream_answer(call, lines);
}
