/* POST /v1/signals (CITY-1, CITY-12), while it arrives: lines are run in commands of SIGNALS_MAX as
 * they come, about a thousand a turn of the loop, so that however many there are nobody else waits.
 * What has not been run yet is held, up to 1 MiB; beyond that more is run at once.
 *
 * A line is read the short way if it is plain (json/flat.h) and by the parser otherwise, which also
 * says what is wrong with it: that is noted and the next one is taken. A slice is SIGNALS_MAX good
 * lines in a row. */
#include <assert.h>
#include <string.h>

#include "api/line_stream.h"
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
    struct line_stream lines; /* first */
    uint32_t last_city;
    struct signal signals[SIGNALS_MAX]; /* the slice being filled, */
    uint64_t line_of[SIGNALS_MAX];      /* and the line of each */
    size_t count;
    uint64_t first_visits, repeats, skipped;
    struct text company; /* the key's; data NULL: it may act for all */
    char company_bytes[COMPANY_ID_MAX];
    uint32_t allowed_city; /* the last one that was found to be the company's */
    struct signal_errors errors;
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
    note_error(stream, stream->lines.line, OUTCOME_INVALID, pointer, detail);
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
    struct arena *arena = &stream->lines.api->arena;
    struct json_errors errors;
    const char *why;
    const struct json_value *value = json_parse(arena, text, size, &why);

    *body = (struct signal_body){.lat = DEGREES_NONE, .lon = DEGREES_NONE};
    json_errors_init(&errors);
    if (value == NULL) {
        note_error(stream, stream->lines.line, OUTCOME_MALFORMED_JSON, "", why);
        return false;
    }
    if (json_bind(arena, value, signal_fields, FIELD_COUNT(signal_fields), body, given, "",
                  &errors)) {
        *given = given_values(body, *given);
        return true;
    }
    note_error(stream, stream->lines.line,
               errors.has_unknown_field ? OUTCOME_UNKNOWN_FIELD : OUTCOME_INVALID,
               errors.items[0].pointer, errors.items[0].detail);
    return false;
}

/* The city by its code, which is most often that of the line before. */
static uint32_t find_city(struct signal_stream *stream, struct text code)
{
    const struct city_index *cities = pipeline_cities(stream->lines.api->pipeline);

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
    txn = pipeline_read_begin(stream->lines.api->pipeline);
    is_own =
        !city_message_find(txn, city, &message) || text_equals(message.company, stream->company);
    pipeline_read_end(stream->lines.api->pipeline, txn);
    if (is_own)
        stream->allowed_city = city;
    else
        note_error(stream, stream->lines.line, OUTCOME_FORBIDDEN, "",
                   "the city sends for another company");
    return is_own;
}

/* Where it was. False: what is wrong is noted. */
static bool take_place(struct signal_stream *stream, const struct signal_body *body, uint64_t given,
                       struct signal *signal)
{
    struct city_index *cities = pipeline_cities(stream->lines.api->pipeline);

    if ((given & GIVEN_PLACE) == GIVEN_CITY) {
        assert(body->city.data != NULL);
        signal->city = find_city(stream, text_of(body->city));
        if (signal->city == CITY_NONE)
            note_error(stream, stream->lines.line, OUTCOME_CITY_NOT_FOUND, "", NULL);
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
    const struct city_index *cities = pipeline_cities(stream->lines.api->pipeline);

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

static void count_slice(struct signal_stream *stream, const struct signals_result *result)
{
    stream->first_visits += result->first_visits;
    stream->repeats += result->repeats;
    stream->skipped += result->skipped;
    metric_add(METRIC_SIGNALS, stream->count);
    metric_add(METRIC_SIGNALS_SKIPPED, result->skipped);
    metric_add(METRIC_SIGNALS_FIRST_VISITS, result->first_visits);
    metric_add(METRIC_WELCOME_MESSAGES, result->messages);
    metric_add(METRIC_WELCOME_REFUSED, result->refused);
    stream->lines.lines_left -= (result->messages + result->refused) * LINES_PER_MESSAGE;
    if (result->invalid == 0)
        return;
    for (size_t i = 0; i < stream->count; i++) {
        enum signal_code code = result->codes[i / 4] >> i % 4 * 2 & 3;
        if (code != SIGNAL_TAKEN)
            note_error(stream, stream->line_of[i],
                       code == SIGNAL_IS_LATE ? OUTCOME_SIGNAL_LATE : OUTCOME_SIGNAL_EARLY, "",
                       NULL);
    }
}

static void run_slice(struct signal_stream *stream)
{
    struct api *api = stream->lines.api;
    struct command command = {.type = COMMAND_SIGNALS,
                              .of.signals = {.signals = stream->signals,
                                             .count = stream->count,
                                             .index = pipeline_cities(api->pipeline),
                                             .tries_max = api->options.messages_tries_max}};
    struct result result;

    if (line_stream_run(&stream->lines, &command, &result))
        count_slice(stream, &result.of.signals);
    metric_set(METRIC_CITIES_MEMORY, (int64_t)pipeline_cities(api->pipeline)->bytes);
    stream->count = 0;
}

static void take(struct line_stream *lines, const char *text, size_t size)
{
    static struct json_flat flat; /* prepared once */
    struct signal_stream *stream = (struct signal_stream *)lines;
    struct signal_body body;
    uint64_t given = 0;

    body.label.data = NULL; /* the others are looked at if they are given */
    if (flat.field_count == 0)
        json_flat_init(&flat, signal_fields, FIELD_COUNT(signal_fields));
    bool is_plain = json_flat_read(&flat, text, size, &body, &given);
    if ((is_plain || read_slowly(stream, text, size, &body, &given)) &&
        take_body(stream, &body, given, &stream->signals[stream->count])) {
        if (lines->stream.has_key)
            hash_update(&lines->slice_fingerprint, text, size);
        stream->line_of[stream->count++] = lines->line;
    }
    if (!is_plain)
        arena_reset(&lines->api->arena);
    if (stream->count == SIGNALS_MAX)
        run_slice(stream);
}

static void take_too_long(struct line_stream *lines)
{
    refuse_line((struct signal_stream *)lines, "", "the line is too long");
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static void end(struct line_stream *lines)
{
    struct signal_stream *stream = (struct signal_stream *)lines;

    if (stream->count > 0 && lines->refusal == OUTCOME_OK)
        run_slice(stream);
    signal_errors_count(&stream->errors);
}

static void write_counts(struct line_stream *lines, struct json_writer *w)
{
    struct signal_stream *stream = (struct signal_stream *)lines;

    json_int(w, "accepted", (int64_t)(stream->first_visits + stream->repeats + stream->skipped));
    json_int(w, "first_visits", (int64_t)stream->first_visits);
    json_int(w, "repeats", (int64_t)stream->repeats);
    json_int(w, "skipped", (int64_t)stream->skipped);
    signal_errors_write(&stream->errors, w);
}

static const struct line_stream_kind signal_lines = {
    .line_bytes_max = LINE_BYTES_MAX,
    .pending_bytes_max = PENDING_BYTES_MAX,
    .lines_per_turn = LINES_PER_TURN,
    .take = take,
    .take_too_long = take_too_long,
    .end = end,
    .write = write_counts,
};

static struct body_stream *begin(struct call *call)
{
    struct signal_stream *stream =
        (struct signal_stream *)line_stream_new(call, &signal_lines, sizeof *stream);

    if (stream == NULL)
        return NULL;
    stream->last_city = stream->allowed_city = CITY_NONE;
    stream->company = call_company(call);
    if (stream->company.data != NULL) { /* the key may be gone before the body has come */
        memcpy(stream->company_bytes, stream->company.data, stream->company.size);
        stream->company.data = stream->company_bytes;
    }
    return &stream->lines.stream;
}

const struct body_stream_type signal_stream = {
    .takes_json = true,
    .bytes_max_at = offsetof(struct api_options, batch_bytes_max),
    .begin = begin,
    .feed = line_stream_feed,
    .abandon = line_stream_abandon,
};

void api_signals(struct call *call)
{
    struct line_stream *lines =
        (struct line_stream *)call_take_stream(call, "too many batches are under way");

    if (lines != NULL)
        line_stream_answer(call, lines);
}
