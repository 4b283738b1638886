/* POST /v1/signals (CITY-1, CITY-12), while it arrives: lines are run in commands of SIGNALS_MAX as
 * they come, about a thousand a turn of the loop, so that however many there are nobody else waits.
 * What has not been run yet is held, up to 1 MiB; beyond that more is run at once. At most
 * batches_max such requests, batches among them, are under way.
 *
 * A line is read the short way if it is plain (json/flat.h) and
 * by the parser otherwise, which also says what is wrong with it: that is noted and the next one is
 * taken. What is hard: lines, slices and turns of the loop do not begin and end together, and with
 * an Idempotency-Key the slices must be cut the same way each time, however the bytes come. So a
 * slice is SIGNALS_MAX good lines in a row, and each has a key made of the request's and its place.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/body_stream.h"
#include "api/call.h"
#include "api/signal_errors.h"
#include "base/metric.h"
#include "base/time_text.h"
#include "engine/city_index.h"
#include "engine/city_message.h"
#include "engine/mobile.h"
#include "json/flat.h"

enum {
    LINE_BYTES_MAX = 4096,
    LINES_PER_TURN = 1024,
    LINES_PER_MESSAGE = 64, /* a line that makes a message costs as much as so many others */
    PENDING_BYTES_MAX = 1 << 20,
    AT_TEXT_MAX = 40,
};

struct signal_stream {
    struct body_stream stream; /* first */
    struct api *api;
    struct buffer pending;
    size_t offset; /* in it, of what was not looked at yet */
    bool is_ended, is_abandoned, is_scheduled, is_skipping; /* the rest of a line too long */
    uint64_t line;                                          /* lines begun */
    uint32_t last_city;
    struct signal signals[SIGNALS_MAX]; /* the slice being filled, */
    uint64_t lines[SIGNALS_MAX];        /* and the line of each */
    size_t count;
    struct hash slice_fingerprint;
    uint64_t slices;
    uint64_t first_visits, repeats, skipped;
    int lines_left;      /* of this turn */
    struct text company; /* the key's; data NULL: it may act for all */
    char company_bytes[COMPANY_ID_MAX];
    uint32_t allowed_city; /* the last one that was found to be the company's */
    struct signal_errors errors;
    enum outcome refusal; /* OUTCOME_OK: none */
    uint64_t hold;
    struct http_deferred *deferred;
    struct buffer headers;
};

/* --- a line --------------------------------------------------------------------------------------
 */

struct signal_body {
    struct json_text mobile, city;
    int64_t lat, lon;
    struct json_text at, label;
};

enum { GIVEN_CITY = 1 << 1, GIVEN_LAT = 1 << 2, GIVEN_LON = 1 << 3, GIVEN_AT = 1 << 4 };
#define GIVEN_PLACE (GIVEN_CITY | GIVEN_LAT | GIVEN_LON)

static const struct json_field signal_fields[] = {
    {.name = "mobile",
     .kind = JSON_TEXT,
     .offset = offsetof(struct signal_body, mobile),
     .is_required = true,
     .min = 1,
     .max = MOBILE_TEXT_MAX},
    {.name = "city",
     .kind = JSON_TEXT,
     .offset = offsetof(struct signal_body, city),
     .is_nullable = true,
     .min = 1,
     .max = CITY_CODE_MAX},
    {.name = "lat",
     .kind = JSON_DECIMAL,
     .offset = offsetof(struct signal_body, lat),
     .is_nullable = true,
     .min = -AREA_LAT_MAX,
     .max = AREA_LAT_MAX,
     .decimals = 6},
    {.name = "lon",
     .kind = JSON_DECIMAL,
     .offset = offsetof(struct signal_body, lon),
     .is_nullable = true,
     .min = -AREA_LON_MAX,
     .max = AREA_LON_MAX,
     .decimals = 6},
    {.name = "at",
     .kind = JSON_TEXT,
     .offset = offsetof(struct signal_body, at),
     .is_nullable = true,
     .min = 1,
     .max = AT_TEXT_MAX},
    {.name = "label",
     .kind = JSON_TEXT,
     .offset = offsetof(struct signal_body, label),
     .is_nullable = true,
     .min = 1,
     .max = CITY_LABEL_MAX},
};

static void note_error(struct signal_stream *stream, uint64_t line, enum outcome outcome,
                       const char *pointer, const char *detail)
{
    signal_errors_note(&stream->errors, line, outcome, pointer, detail);
}

static void refuse_line(struct signal_stream *stream, const char *pointer, const char *detail)
{
    note_error(stream, stream->line, OUTCOME_INVALID, pointer, detail);
}

enum { DEGREES_NONE = AREA_LON_MAX + 1 };

/* What is null is not given. */
static uint64_t given_values(const struct signal_body *body, uint64_t given)
{
    if (body->city.data == NULL)
        given &= ~(uint64_t)GIVEN_CITY;
    if (body->lat == DEGREES_NONE)
        given &= ~(uint64_t)GIVEN_LAT;
    if (body->lon == DEGREES_NONE)
        given &= ~(uint64_t)GIVEN_LON;
    if (body->at.data == NULL)
        given &= ~(uint64_t)GIVEN_AT;
    return given;
}

/* By the parser. False: what is wrong is noted. */
static bool read_slowly(struct signal_stream *stream, const char *text, size_t size,
                        struct signal_body *body, uint64_t *given)
{
    struct arena *arena = &stream->api->arena;
    struct json_errors errors;
    const char *why;
    const struct json_value *value = json_parse(arena, text, size, &why);

    *body = (struct signal_body){.lat = DEGREES_NONE, .lon = DEGREES_NONE};
    json_errors_init(&errors);
    if (value == NULL) {
        note_error(stream, stream->line, OUTCOME_MALFORMED_JSON, "", why);
        return false;
    }
    if (json_bind(arena, value, signal_fields, FIELD_COUNT(signal_fields), body, given, "",
                  &errors)) {
        *given = given_values(body, *given);
        return true;
    }
    note_error(stream, stream->line,
               errors.has_unknown_field ? OUTCOME_UNKNOWN_FIELD : OUTCOME_INVALID,
               errors.items[0].pointer, errors.items[0].detail);
    return false;
}

/* The city by its code, which is most often that of the line before. */
static uint32_t find_city(struct signal_stream *stream, struct text code)
{
    const struct city_index *cities = pipeline_cities(stream->api->pipeline);

    if (stream->last_city < cities->count) {
        const struct city *last = cities->cities[stream->last_city];
        if (text_equals(code, (struct text){last->code, last->code_size}))
            return stream->last_city;
    }
    stream->last_city = city_index_find(cities, code);
    return stream->last_city;
}

/* Its first visits are paid by the company that it sends for. */
static bool is_companys_own(struct signal_stream *stream, uint32_t city)
{
    struct city_message message;
    struct txn *txn;
    bool is_own;

    if (stream->company.data == NULL || city == CITY_NONE || city == stream->allowed_city)
        return true;
    txn = pipeline_read_begin(stream->api->pipeline);
    is_own =
        !city_message_find(txn, city, &message) || text_equals(message.company, stream->company);
    pipeline_read_end(stream->api->pipeline, txn);
    if (is_own)
        stream->allowed_city = city;
    else
        note_error(stream, stream->line, OUTCOME_FORBIDDEN, "",
                   "the city sends for another company");
    return is_own;
}

/* Where it was. False: what is wrong is noted. */
static bool take_place(struct signal_stream *stream, const struct signal_body *body, uint64_t given,
                       struct signal *signal)
{
    struct city_index *cities = pipeline_cities(stream->api->pipeline);

    if ((given & GIVEN_PLACE) == GIVEN_CITY) {
        signal->city = find_city(stream, text_of(body->city));
        if (signal->city == CITY_NONE)
            note_error(stream, stream->line, OUTCOME_CITY_NOT_FOUND, "", NULL);
        return signal->city != CITY_NONE;
    }
    if ((given & GIVEN_PLACE) != (GIVEN_LAT | GIVEN_LON)) {
        refuse_line(stream, "", "needs city, or lat and lon");
        return false;
    }
    signal->city = city_index_at(cities, (int32_t)body->lat, (int32_t)body->lon);
    return true;
}

/* False: what is wrong is noted. */
static bool take_body(struct signal_stream *stream, const struct signal_body *body, uint64_t given,
                      struct signal *signal)
{
    const struct city_index *cities = pipeline_cities(stream->api->pipeline);

    signal->at_ms = 0;
    if (!mobile_parse(text_of(body->mobile), &signal->mobile)) {
        refuse_line(stream, "/mobile", "must be + and 7 to 15 digits");
        return false;
    }
    if ((given & GIVEN_AT) != 0 && !time_parse(body->at.data, body->at.size, &signal->at_ms)) {
        refuse_line(stream, "/at", "must be a time as RFC 3339 has it");
        return false;
    }
    if (!take_place(stream, body, given, signal) || !is_companys_own(stream, signal->city))
        return false;
    signal->is_labelled = signal->city == CITY_NONE ||
                          city_takes_label(cities->cities[signal->city], text_of(body->label));
    return true;
}

/* --- a slice -------------------------------------------------------------------------------------
 */

static struct hash128 key_of_slice(const struct signal_stream *stream)
{
    struct {
        struct hash128 key;
        uint64_t place;
    } derived = {stream->stream.key, stream->slices};

    return hash128(pipeline_secret(stream->api->pipeline), &derived, sizeof derived);
}

static void count_slice(struct signal_stream *stream, const struct signals_result *result)
{
    stream->first_visits += result->first_visits;
    stream->repeats += result->repeats;
    stream->skipped += result->skipped;
    metric_add(METRIC_SIGNALS, stream->count);
    metric_add(METRIC_SIGNALS_FIRST_VISITS, result->first_visits);
    metric_add(METRIC_WELCOME_MESSAGES, result->messages);
    metric_add(METRIC_WELCOME_REFUSED, result->refused);
    stream->lines_left -= (result->messages + result->refused) * LINES_PER_MESSAGE;
    if (result->invalid == 0)
        return;
    for (size_t i = 0; i < stream->count; i++) {
        enum signal_code code = result->codes[i / 4] >> i % 4 * 2 & 3;
        if (code != SIGNAL_TAKEN)
            note_error(stream, stream->lines[i],
                       code == SIGNAL_IS_LATE ? OUTCOME_SIGNAL_LATE : OUTCOME_SIGNAL_EARLY, "",
                       NULL);
    }
}

static void begin_slice(struct signal_stream *stream)
{
    stream->count = 0;
    if (stream->stream.has_key)
        hash_init(&stream->slice_fingerprint, pipeline_secret(stream->api->pipeline), false);
}

static void run_slice(struct signal_stream *stream)
{
    struct pipeline *pipeline = stream->api->pipeline;
    struct command command = {.type = COMMAND_SIGNALS,
                              .has_key = stream->stream.has_key,
                              .of.signals = {.signals = stream->signals,
                                             .count = stream->count,
                                             .index = pipeline_cities(pipeline),
                                             .tries_max = stream->api->options.messages_tries_max}};
    struct result result;

    if (stream->stream.has_key) {
        command.key = key_of_slice(stream);
        command.fingerprint = hash_finish64(&stream->slice_fingerprint);
    }
    uint64_t hold = pipeline_run(pipeline, &command, &result);
    stream->hold = hold > stream->hold ? hold : stream->hold;
    metric_set(METRIC_CITIES_MEMORY, (int64_t)pipeline_cities(pipeline)->bytes);
    if (result.outcome == OUTCOME_OK)
        count_slice(stream, &result.of.signals);
    else
        stream->refusal = result.outcome;
    stream->slices++;
    begin_slice(stream);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void take_line(struct signal_stream *stream, const char *text, size_t size)
{
    static struct json_flat flat; /* prepared once */
    struct signal_body body;
    uint64_t given = 0;

    body.label.data = NULL; /* the others are looked at if they are given */
    if (flat.field_count == 0)
        json_flat_init(&flat, signal_fields, FIELD_COUNT(signal_fields));
    while (size > 0 && is_space(*text)) {
        text++;
        size--;
    }
    while (size > 0 && is_space(text[size - 1]))
        size--;
    if (size == 0)
        return;
    bool is_plain = json_flat_read(&flat, text, size, &body, &given);
    if ((is_plain || read_slowly(stream, text, size, &body, &given)) &&
        take_body(stream, &body, given, &stream->signals[stream->count])) {
        if (stream->stream.has_key)
            hash_update(&stream->slice_fingerprint, text, size);
        stream->lines[stream->count++] = stream->line;
    }
    if (!is_plain)
        arena_reset(&stream->api->arena);
    if (stream->count == SIGNALS_MAX)
        run_slice(stream);
}

/* --- lines ---------------------------------------------------------------------------------------
 */

/* The next line of what is pending, if it is whole; its end is passed over. */
static bool next_line(struct signal_stream *stream, const char **text, size_t *size)
{
    size_t left = stream->pending.size - stream->offset;
    const char *end;

    if (left == 0)
        return false;
    *text = stream->pending.data + stream->offset;
    end = memchr(*text, '\n', left);
    if (end == NULL && !stream->is_ended) {
        if (left > LINE_BYTES_MAX) { /* of no use: only its end is looked for */
            stream->is_skipping = true;
            stream->offset = stream->pending.size;
        }
        return false;
    }
    *size = end == NULL ? left : (size_t)(end - *text);
    stream->offset += *size + (end != NULL);
    return true;
}

/* As many lines as a turn may take. False: none is left that is whole. */
static bool take_lines(struct signal_stream *stream)
{
    const char *text;
    size_t size;

    stream->lines_left = LINES_PER_TURN;
    for (; stream->lines_left > 0 && stream->refusal == OUTCOME_OK; stream->lines_left--) {
        if (!next_line(stream, &text, &size))
            return false;
        stream->line++;
        if (stream->is_skipping || size > LINE_BYTES_MAX)
            note_error(stream, stream->line, OUTCOME_INVALID, "", "the line is too long");
        else
            take_line(stream, text, size);
        stream->is_skipping = false;
    }
    return stream->refusal == OUTCOME_OK && stream->offset < stream->pending.size;
}

static void forget_taken(struct signal_stream *stream)
{
    buffer_consume(&stream->pending, stream->offset);
    stream->offset = 0;
}

/* --- answering -----------------------------------------------------------------------------------
 */

static void stream_free(struct signal_stream *stream)
{
    assert(stream->api->batch_count > 0);
    stream->api->batch_count--;
    buffer_release(&stream->pending);
    buffer_release(&stream->headers);
    free(stream);
}

static void write_counts(struct signal_stream *stream, struct buffer *body)
{
    struct json_writer w = json_writer(body);

    json_object_begin(&w, NULL);
    json_int(&w, "accepted", (int64_t)(stream->first_visits + stream->repeats + stream->skipped));
    json_int(&w, "first_visits", (int64_t)stream->first_visits);
    json_int(&w, "repeats", (int64_t)stream->repeats);
    json_int(&w, "skipped", (int64_t)stream->skipped);
    signal_errors_write(&stream->errors, &w);
    json_object_end(&w);
}

static void finish(struct signal_stream *stream)
{
    struct buffer body;

    if (stream->is_skipping) { /* the last line had no end */
        stream->line++;
        note_error(stream, stream->line, OUTCOME_INVALID, "", "the line is too long");
    }
    if (stream->count > 0 && stream->refusal == OUTCOME_OK)
        run_slice(stream);
    signal_errors_count(&stream->errors);
    buffer_init(&body);
    if (stream->refusal == OUTCOME_OK) {
        write_counts(stream, &body);
        http_answer(stream->deferred, 200, "application/json", &stream->headers, &body,
                    stream->hold);
    } else {
        int status = call_write_problem(&body, stream->refusal, NULL);
        if (status == 503)
            buffer_append_literal(&stream->headers, "Retry-After: 1\r\n");
        http_answer(stream->deferred, status, "application/problem+json", &stream->headers, &body,
                    stream->hold);
    }
    buffer_release(&body);
    stream_free(stream);
}

static void schedule(struct signal_stream *stream);

static void on_turn(void *context)
{
    struct signal_stream *stream = context;

    stream->is_scheduled = false;
    if (stream->is_abandoned) {
        stream_free(stream);
        return;
    }
    bool has_more = take_lines(stream);
    forget_taken(stream);
    if (has_more)
        schedule(stream);
    else if (stream->deferred != NULL)
        finish(stream);
}

static void schedule(struct signal_stream *stream)
{
    if (stream->is_scheduled)
        return;
    stream->is_scheduled = true;
    pipeline_continue(stream->api->pipeline, on_turn, stream);
}

/* --- what api.c calls ----------------------------------------------------------------------------
 */

static struct body_stream *begin(struct call *call)
{
    struct signal_stream *stream;

    if (call->api->batch_count >= call->api->options.batches_max)
        return NULL;
    stream = calloc(1, sizeof *stream);
    assert(stream != NULL);
    call->api->batch_count++;
    stream->api = call->api;
    stream->last_city = stream->allowed_city = CITY_NONE;
    stream->company = call_company(call);
    if (stream->company.data != NULL) { /* the key may be gone before the body has come */
        memcpy(stream->company_bytes, stream->company.data, stream->company.size);
        stream->company.data = stream->company_bytes;
    }
    stream->refusal = OUTCOME_OK;
    stream->stream.has_key = call->has_idempotency_key; /* which a slice's beginning looks at */
    begin_slice(stream);
    return &stream->stream;
}

static void abandon(struct body_stream *body)
{
    struct signal_stream *stream = (struct signal_stream *)body;

    stream->is_abandoned = true;
    if (!stream->is_scheduled)
        stream_free(stream);
}

static void feed(struct body_stream *body, struct call *call, const char *data, size_t size)
{
    struct signal_stream *stream = (struct signal_stream *)body;

    (void)call;
    if (stream->refusal != OUTCOME_OK)
        return; /* it is as good as answered */
    buffer_append(&stream->pending, data, size);
    while (stream->pending.size - stream->offset > PENDING_BYTES_MAX && take_lines(stream))
        continue;
    schedule(stream);
}

const struct body_stream_type signal_stream = {begin, feed, abandon};

/* False: the key was used for something else, and that is replied. */
static bool run_key(struct call *call)
{
    struct command command = {.type = COMMAND_BATCH};
    struct result result;

    return !call->has_idempotency_key || call_run(call, &command, &result);
}

void api_signals(struct call *call)
{
    struct signal_stream *stream;

    stream = (struct signal_stream *)call_stream(call);
    if (stream == NULL) {
        call_refuse(call, OUTCOME_OVERLOADED, "too many batches are under way");
        return;
    }
    if (!run_key(call))
        return;
    call->stream = NULL; /* it outlives the call */
    buffer_append(&stream->pending, call->request->body.data, call->request->body.size);
    buffer_append(&stream->headers, call->reply->headers->data, call->reply->headers->size);
    stream->is_ended = true;
    stream->hold = call->reply->hold > stream->hold ? call->reply->hold : stream->hold;
    stream->deferred = http_defer(call->reply);
    if (!stream->is_scheduled)
        on_turn(stream);
}
