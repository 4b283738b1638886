/* Batches (BILL-10). The whole batch is read before anything is run, each item becoming a command
 * as it comes, also while the rest is still on its way: what is kept of it is bounded by the number
 * of items, not by the bytes sent, and a batch that turns out malformed has done nothing. What is
 * hard: a call ends with the bytes it brought, the batch goes on with the next one's.
 *
 * Item by item: some hundred commands a turn of the loop, so that a batch holds nobody up. Atomic:
 * one transaction, in one turn.
 *
 * An Idempotency-Key of the whole batch gives each item without one of its own a key made of it and
 * the item's place, so that the batch is replayed by replaying its items. An atomic batch that
 * failed has done nothing, and its items' answers are kept under such keys all the same. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/batch.h"
#include "api/body_stream.h"
#include "api/call.h"
#include "api/deferred.h"
#include "base/bytes.h"
#include "json/items.h"

enum {
    ITEMS_MAX = 10000,
    ITEMS_FIRST = 128, /* room for so many; doubled as they come */
    ITEM_BYTES_MAX = 16384,
    SLICE_ITEMS = 256,
    ITEMS_AHEAD = 4,
    REFUSAL_BYTES_MAX = 2 << 20, /* of a batch's items; beyond it they have no details */
    TEXT_BYTES_MAX = 16 << 20,   /* of a batch's items; beyond it they are refused */
    BATCH_ARENA_BYTES_MAX = 40 << 20,
};

static_assert(TEXT_BYTES_MAX + REFUSAL_BYTES_MAX < BATCH_ARENA_BYTES_MAX / 2,
              "an arena has at most twice what is asked of it");

struct item {
    struct command command;
    enum outcome outcome; /* OUTCOME_OK: it is a command */
    struct text refusal;  /* otherwise why not, as a problem; NULL: as the outcome says */
};

struct batch {
    struct body_stream stream; /* first */
    struct api *api;
    const struct batch_kind *kind;
    struct call *call;     /* the one that brings bytes, while it does */
    struct api_key caller; /* the key it was begun with: items' own keys are its */
    struct json_items reading;
    int read_status; /* what json_items said last */
    size_t refusal_bytes, text_bytes;
    struct deferred deferred;
    struct buffer body;
    struct json_writer writer;
    struct arena texts; /* what the commands point to */
    struct item *items;
    struct result *results; /* of an atomic batch */
    size_t count, done, capacity;
    size_t succeeded;
    bool is_atomic, is_failed;
    bool has_failed_before;       /* under the same key: this is a replay */
    uint64_t request_fingerprint; /* the whole request's */
};

/* --- reading -------------------------------------------------------------------------------------
 */

struct text batch_keep_text(struct arena *texts, struct text text)
{
    if (text.data == NULL)
        return text;
    return (struct text){arena_copy(texts, text.data, text.size), text.size};
}

/* What stands for the item of that place under the batch's key: 96 bits of a hash of it, then the
 * place, so that the rows of a batch are neighbours wherever they are sorted. Not of the key
 * itself: the batch's own row is not to be an item's. */
static struct hash128 key_of_place(const struct batch *batch, size_t place)
{
    struct hash128 key = hash128(pipeline_secret(batch->api->pipeline), &batch->stream.key,
                                 sizeof batch->stream.key);

    static_assert(sizeof key == 16, "its bytes are the row's key");
    bytes_put_u32_be((char *)&key + 12, (uint32_t)place);
    return key;
}

static void take_key(struct batch *batch, struct command *command, struct text own,
                     const char *text, size_t size)
{
    const struct hash_key *secret = pipeline_secret(batch->api->pipeline);

    if (own.data != NULL) {
        command->has_key = true;
        command->key = call_key_hash(batch->call, own);
    } else if (batch->stream.has_key) {
        command->has_key = true;
        command->key = key_of_place(batch, batch->count);
    }
    if (command->has_key)
        command->fingerprint = hash64(secret, text, size);
}

/* A hostile batch is all refusals, each as large as its item. */
static void refuse_item(struct batch *batch, struct item *item, enum outcome outcome,
                        const char *detail, const struct json_errors *errors)
{
    struct buffer problem;

    item->outcome = outcome;
    item->command = (struct command){.type = COMMAND_REFUSAL, .of.refusal.outcome = outcome};
    buffer_init(&problem);
    call_write_problem_errors(&problem, outcome, detail, errors);
    if (batch->refusal_bytes + problem.size <= REFUSAL_BYTES_MAX) {
        item->refusal = batch_keep_text(&batch->texts, (struct text){problem.data, problem.size});
        batch->refusal_bytes += problem.size;
    }
    buffer_release(&problem);
}

static void bind_item(struct batch *batch, struct item *item, const struct json_value *json,
                      const char *text, size_t size)
{
    struct json_errors errors;
    struct text own_key;
    enum outcome outcome;

    json_errors_init(&errors);
    outcome = batch->kind->bind(batch->call, json, &item->command, &own_key, &errors);
    if (outcome != OUTCOME_OK) {
        if (outcome == OUTCOME_INVALID && errors.has_unknown_field)
            outcome = OUTCOME_UNKNOWN_FIELD;
        refuse_item(batch, item, outcome, outcome == OUTCOME_FORBIDDEN ? OTHERS_KEY : NULL,
                    errors.count > 0 ? &errors : NULL);
        return;
    }
    batch->text_bytes += batch->kind->text_bytes(&item->command);
    if (batch->text_bytes > TEXT_BYTES_MAX) {
        refuse_item(batch, item, OUTCOME_BODY_TOO_LARGE, "the texts of the batch are too large",
                    NULL);
        return;
    }
    take_key(batch, &item->command, own_key, text, size);
    batch->kind->keep(&batch->texts, &item->command);
}

static struct item *next_item(struct batch *batch)
{
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity == 0 ? ITEMS_FIRST : 2 * batch->capacity;
        batch->items = realloc(batch->items, batch->capacity * sizeof *batch->items);
        assert(batch->items != NULL);
    }
    batch->items[batch->count] = (struct item){.outcome = OUTCOME_OK};
    return &batch->items[batch->count];
}

static int on_item(void *context, const char *text, size_t size)
{
    struct batch *batch = context;
    const struct json_value *json;
    struct item *item;
    const char *why;

    if (batch->count == ITEMS_MAX)
        return 1;
    item = next_item(batch);
    json = json_parse(batch->call->arena, text, size, &why);
    if (json == NULL)
        refuse_item(batch, item, OUTCOME_MALFORMED_JSON, why, NULL);
    else
        bind_item(batch, item, json, text, size);
    batch->count++;
    arena_reset(batch->call->arena);
    return 0;
}

static void read_items(struct batch *batch, struct call *call, const char *data, size_t size)
{
    const struct api_key *key = call->key;

    if (batch->read_status != 0)
        return;
    call->key = &batch->caller;
    batch->call = call;
    batch->read_status = json_items_feed(&batch->reading, data, size);
    batch->call = NULL;
    call->key = key;
}

static void feed(struct body_stream *stream, struct call *call, const char *data, size_t size)
{
    read_items((struct batch *)stream, call, data, size);
}

/* Lines may end without a line feed: then the last item comes now. */
static void end_items(struct batch *batch, struct call *call)
{
    if (batch->read_status != 0)
        return;
    batch->call = call;
    batch->read_status = json_items_end(&batch->reading);
    batch->call = NULL;
}

/* The last bytes, those of on_request, which are in the call's fingerprint already. */
static bool read_rest(struct batch *batch, struct call *call)
{
    read_items(batch, call, call->request->body.data, call->request->body.size);
    end_items(batch, call);
    if (batch->read_status > 0)
        call_refuse(call, OUTCOME_INVALID, "a batch has at most 10000 items");
    else if (batch->read_status < 0)
        call_refuse(call, OUTCOME_MALFORMED_JSON, batch->reading.fault);
    else if (batch->count == 0)
        call_refuse(call, OUTCOME_INVALID, "a batch has at least one item");
    return batch->read_status == 0 && batch->count > 0;
}

/* --- answering -----------------------------------------------------------------------------------
 */

static void write_refusal(const struct batch *batch, struct json_writer *w, const struct item *item,
                          enum outcome outcome)
{
    json_int(w, "status", outcome_infos[outcome].status);
    if (item->refusal.data != NULL) {
        json_raw(w, "body", item->refusal.data, item->refusal.size);
    } else {
        struct buffer problem;
        buffer_init(&problem);
        if (batch->kind->write_refusal != NULL && item->outcome == OUTCOME_OK)
            batch->kind->write_refusal(batch->api, &problem, &item->command, outcome);
        else
            call_write_problem(&problem, outcome, NULL);
        json_raw(w, "body", problem.data, problem.size);
        buffer_release(&problem);
    }
}

static void write_item(struct batch *batch, struct item *item, const struct result *result)
{
    struct json_writer *w = &batch->writer;
    enum outcome outcome = item->outcome != OUTCOME_OK ? item->outcome : result->outcome;

    json_object_begin(w, NULL);
    if (outcome == OUTCOME_OK) {
        batch->succeeded++;
        json_int(w, "status", batch->kind->status(&item->command));
        batch->kind->write(batch->api, w, "body", &item->command, result);
    } else {
        write_refusal(batch, w, item, outcome);
    }
    json_object_end(w);
}

static void begin_body(struct batch *batch)
{
    batch->writer = json_writer(&batch->body);
    json_object_begin(&batch->writer, NULL);
    if (batch->is_failed) {
        const struct outcome_info *info = &outcome_infos[OUTCOME_BATCH_FAILED];
        json_string(&batch->writer, "type", "about:blank");
        json_string(&batch->writer, "title", info->title);
        json_int(&batch->writer, "status", info->status);
        json_string(&batch->writer, "code", info->code);
        json_string(&batch->writer, "detail", info->title);
    }
    json_array_begin(&batch->writer, "results");
}

static void batch_free(struct batch *batch)
{
    assert(batch->api->batch_count > 0);
    batch->api->batch_count--;
    json_items_release(&batch->reading);
    free(batch->items);
    free(batch->results);
    arena_release(&batch->texts);
    deferred_release(&batch->deferred);
    buffer_release(&batch->body);
    free(batch);
}

static void finish(struct batch *batch)
{
    json_array_end(&batch->writer);
    json_int(&batch->writer, "succeeded", (int64_t)(batch->is_failed ? 0 : batch->succeeded));
    json_int(&batch->writer, "failed",
             (int64_t)(batch->count - (batch->is_failed ? 0 : batch->succeeded)));
    json_object_end(&batch->writer);
    if (batch->is_failed)
        deferred_answer_status(&batch->deferred, outcome_infos[OUTCOME_BATCH_FAILED].status,
                               PROBLEM_TYPE, &batch->body);
    else
        deferred_answer(&batch->deferred, &batch->body);
    batch_free(batch);
}

/* --- running -------------------------------------------------------------------------------------
 */

static void expect(struct batch *batch, size_t place, enum txn_distance distance)
{
    if (place < batch->count)
        pipeline_expect(batch->api->pipeline, &batch->items[place].command, distance);
}

static void run_slice(void *context)
{
    struct batch *batch = context;
    size_t end = batch->done + SLICE_ITEMS;

    if (end > batch->count)
        end = batch->count;
    for (; batch->done < end; batch->done++) {
        struct item *item = &batch->items[batch->done];
        expect(batch, batch->done + 2 * ITEMS_AHEAD, TXN_FAR);
        expect(batch, batch->done + ITEMS_AHEAD, TXN_NEAR);
        struct result result = {.outcome = OUTCOME_INVALID};
        if (item->outcome == OUTCOME_OK)
            deferred_hold(&batch->deferred,
                          pipeline_run(batch->api->pipeline, &item->command, &result));
        write_item(batch, item, &result);
    }
    if (batch->done < batch->count)
        pipeline_continue(batch->api->pipeline, run_slice, batch);
    else
        finish(batch);
}

/* A failure is an answer, and kept as one. */
static void keep_failure(struct batch *batch, struct command *commands)
{
    struct command command = {.type = COMMAND_BATCH_FAIL,
                              .of.batch_fail = {.key = batch->stream.key,
                                                .fingerprint = batch->request_fingerprint,
                                                .count = batch->count,
                                                .items = commands,
                                                .answers = batch->results}};
    struct result result;

    for (size_t i = 0; i < batch->count; i++)
        commands[i].key = key_of_place(batch, i);
    deferred_hold(&batch->deferred, pipeline_run(batch->api->pipeline, &command, &result));
}

static void run_atomic(struct batch *batch)
{
    struct command *commands = calloc(batch->count, sizeof *commands);

    assert(commands != NULL);
    batch->results = calloc(batch->count, sizeof *batch->results);
    assert(batch->results != NULL);
    for (size_t i = 0; i < batch->count; i++) {
        commands[i] = batch->items[i].command;
        if (batch->has_failed_before)
            commands[i].key = key_of_place(batch, i);
    }
    batch->is_failed =
        !pipeline_run_atomic(batch->api->pipeline, commands, batch->count, batch->results,
                             batch->has_failed_before, &batch->deferred.hold);
    for (size_t i = 0; i < batch->count; i++)
        batch->items[i].command = commands[i];
    if (batch->is_failed && batch->stream.has_key && !batch->has_failed_before)
        keep_failure(batch, commands);
    free(commands);
    begin_body(batch);
    for (; batch->done < batch->count; batch->done++)
        write_item(batch, &batch->items[batch->done], &batch->results[batch->done]);
    finish(batch);
}

/* False: its key was used for something else. */
static bool run_key(struct batch *batch, struct call *call)
{
    struct command command = {.type = COMMAND_BATCH,
                              .has_key = true,
                              .key = call->idempotency_key,
                              .fingerprint = call->fingerprint};
    struct result result;

    call->reply->hold = pipeline_run(call->api->pipeline, &command, &result);
    if (result.outcome != OUTCOME_OK && result.outcome != OUTCOME_BATCH_FAILED) {
        call_refuse(call, result.outcome, NULL);
        return false;
    }
    if (result.is_replayed)
        buffer_append_literal(call->reply->headers, "Idempotent-Replayed: true\r\n");
    batch->has_failed_before = result.outcome == OUTCOME_BATCH_FAILED;
    return true;
}

struct batch_query {
    struct json_text atomic;
};

static bool is_flag(const char *data, size_t size)
{
    struct text flag = {data, size};
    return text_equals(flag, TEXT("true")) || text_equals(flag, TEXT("false"));
}

static const struct json_field batch_parameters[] = {
    {.name = "atomic",
     .kind = JSON_TEXT,
     .offset = offsetof(struct batch_query, atomic),
     .min = 1,
     .max = 5,
     .check = is_flag,
     .rule = "must be true or false"},
};

static const struct batch_kind *kind_of(const struct route *route)
{
    static const struct {
        void (*handler)(struct call *call);
        const struct batch_kind *kind;
    } kinds[] = {
        {api_charge_batch, &charge_batch_kind},
        {api_message_batch, &message_batch_kind},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].handler == route->handler)
            return kinds[i].kind;
    }
    assert(!"a batch of a kind that is not known");
    return NULL;
}

static struct body_stream *begin(struct call *call)
{
    struct batch *batch;

    if (call->api->batch_count >= call->api->options.batches_max)
        return NULL;
    batch = calloc(1, sizeof *batch);
    assert(batch != NULL);
    call->api->batch_count++;
    batch->api = call->api;
    batch->kind = kind_of(call->route);
    batch->caller = *call->key;
    json_items_init(&batch->reading, call->is_lines, ITEM_BYTES_MAX, on_item, batch);
    arena_init(&batch->texts, BATCH_ARENA_BYTES_MAX);
    buffer_init(&batch->body);
    return &batch->stream;
}

static void abandon(struct body_stream *stream)
{
    batch_free((struct batch *)stream);
}

const struct body_stream_type batch_stream = {
    .takes_json = true,
    .bytes_max_at = offsetof(struct api_options, batch_bytes_max),
    .begin = begin,
    .feed = feed,
    .abandon = abandon,
};

void batch_answer(struct call *call)
{
    struct batch_query query = {.atomic = {NULL, 0}};
    struct batch *batch;

    if (!call_bind_query(call, batch_parameters, FIELD_COUNT(batch_parameters), &query))
        return;
    batch = (struct batch *)call_take_stream(call, "too many batches are under way");
    if (batch == NULL)
        return;
    /* Before items are read: they use the arena that the query lies in. */
    batch->is_atomic =
        query.atomic.data != NULL && text_equals(text_of(query.atomic), TEXT("true"));
    if (!read_rest(batch, call) || (batch->stream.has_key && !run_key(batch, call)))
        return;
    call->stream = NULL; /* it outlives the call */
    batch->request_fingerprint = call->fingerprint;
    call_defer(call, &batch->deferred);
    if (batch->is_atomic) {
        run_atomic(batch);
    } else {
        begin_body(batch);
        run_slice(batch);
    }
}
