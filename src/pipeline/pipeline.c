/* One turn of the loop: commands run as they come, each a transaction of its own; before the loop
 * goes to wait (uv_prepare), what they changed is handed to the journal as one batch, unless one is
 * under way: then it gathers on and goes when that one is durable (uv_async from the journal's
 * thread). So batches grow with the load by themselves, and nobody waits for a timer. */
#include "pipeline/pipeline.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/id.h"
#include "base/log.h"
#include "base/metric.h"
#include "pipeline/campaign_count.h"
#include "pipeline/due_floor.h"
#include "pipeline/effect.h"
#include "pipeline/later.h"

/* What another thread has ended, and the loop is to be told of. */
struct ended {
    struct pipeline *pipeline;
    void (*on_end)(void *context, int error); /* on the loop */
    void *context;
    int error;
    struct ended *next;
};

/* A scan under way; freed with `ended`. */
struct scan {
    struct ended ended; /* first */
    struct pipeline_scan asked;
};

enum { PRESSED_FULLNESS = 750 }; /* of 1000: where work that can wait does */

struct pipeline {
    struct store *store;
    struct clock clock;
    struct engine_state state;
    struct city_index cities;
    uint64_t number_stored; /* what TABLE_META knows of state.number_last */
    struct pipeline_options options;
    uv_prepare_t turn_end;
    uv_async_t durable; /* from the journal's thread */
    uv_async_t wake;    /* from the checkpoint's thread */
    uv_timer_t tick;
    uv_timer_t due; /* set to due_ms */
    int64_t due_ms; /* when the next thing is due, as far as is known */
    struct due_floor due_floor;
    struct campaign_count campaign_count;
    int64_t due_set_ms; /* what the timer is set to; INT64_MAX: it is not */
    void (*on_due)(void *context);
    void *on_due_context;
    void (*on_outbox)(void *context, const struct outbox_wake *wake);
    void *on_outbox_context;
    void (*on_webhook)(void *context, uint64_t endpoint);
    void *on_webhook_context;
    struct later later;
    uv_mutex_t ended_lock;
    struct ended *ended; /* oldest first */
    bool is_closed;
};

static void close_handles(struct pipeline *pipeline)
{
    uv_close((uv_handle_t *)&pipeline->turn_end, NULL);
    uv_close((uv_handle_t *)&pipeline->durable, NULL);
    uv_close((uv_handle_t *)&pipeline->wake, NULL);
    uv_close((uv_handle_t *)&pipeline->tick, NULL);
    uv_close((uv_handle_t *)&pipeline->due, NULL);
    uv_close((uv_handle_t *)&pipeline->later.idle, NULL);
}

/* The highest number goes with the batch it was given out in, so that none is ever given out again.
 */
static void store_number(struct pipeline *pipeline)
{
    struct txn *txn;

    if (pipeline->number_stored == pipeline->state.number_last)
        return;
    txn = store_begin(pipeline->store);
    engine_state_store_number(txn, pipeline->state.number_last);
    store_commit(txn);
    pipeline->number_stored = pipeline->state.number_last;
}

static void on_tick(uv_timer_t *timer);

static void submit_and_tick(struct pipeline *pipeline)
{
    int again_ms;

    store_number(pipeline);
    store_submit(pipeline->store);
    again_ms = store_tick(pipeline->store, clock_monotonic_ns());
    if (again_ms < 0)
        uv_timer_stop(&pipeline->tick);
    else if (!uv_is_active((uv_handle_t *)&pipeline->tick) ||
             uv_timer_get_due_in(&pipeline->tick) > (uint64_t)again_ms)
        uv_timer_start(&pipeline->tick, on_tick, (uint64_t)again_ms, 0);
}

static void on_due_timer(uv_timer_t *timer)
{
    struct pipeline *pipeline = timer->data;

    pipeline->due_ms = INT64_MAX;
    pipeline->due_set_ms = INT64_MAX;
    pipeline->on_due(pipeline->on_due_context);
}

static void set_due_timer(struct pipeline *pipeline)
{
    int64_t wait_ms;

    if (pipeline->due_ms == pipeline->due_set_ms || pipeline->on_due == NULL)
        return;
    pipeline->due_set_ms = pipeline->due_ms;
    if (pipeline->due_ms == INT64_MAX) {
        uv_timer_stop(&pipeline->due);
        return;
    }
    wait_ms = pipeline->due_ms - clock_wall_ms(&pipeline->clock);
    /* The timer counts from the loop's time, which may be a turn old. */
    uv_update_time(pipeline->due.loop);
    uv_timer_start(&pipeline->due, on_due_timer, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

void pipeline_continue(struct pipeline *pipeline, void (*next)(void *context), void *context)
{
    later_put(&pipeline->later, next, context);
}

void pipeline_continue_with_room(struct pipeline *pipeline, void (*next)(void *context),
                                 void *context)
{
    later_put_roomless(&pipeline->later, next, context);
}

void pipeline_watch_due(struct pipeline *pipeline, void (*on_due)(void *context), void *context)
{
    pipeline->on_due = on_due;
    pipeline->on_due_context = context;
}

void pipeline_watch_outbox(struct pipeline *pipeline,
                           void (*on_outbox)(void *context, const struct outbox_wake *wake),
                           void *context)
{
    pipeline->on_outbox = on_outbox;
    pipeline->on_outbox_context = context;
}

void pipeline_watch_webhooks(struct pipeline *pipeline,
                             void (*on_webhook)(void *context, uint64_t endpoint), void *context)
{
    pipeline->on_webhook = on_webhook;
    pipeline->on_webhook_context = context;
}

void pipeline_wait_due(struct pipeline *pipeline, int64_t due_ms)
{
    if (due_ms < pipeline->due_ms)
        pipeline->due_ms = due_ms;
}

bool pipeline_first_due(struct pipeline *pipeline, struct due *due)
{
    struct txn *txn = store_begin(pipeline->store);
    bool is_there = due_floor_first(&pipeline->due_floor, txn, due);

    store_abort(txn);
    return is_there;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* the turn that it began ends with on_turn_end */
}

static void on_turn_end(uv_prepare_t *prepare)
{
    struct pipeline *pipeline = prepare->data;

    submit_and_tick(pipeline);
    /* A checkpoint that makes some wakes the loop. */
    if (pipeline->later.roomless != NULL && pipeline_has_room(pipeline))
        later_make_room(&pipeline->later);
    set_due_timer(pipeline);
}

static void on_durable(uv_async_t *async)
{
    struct pipeline *pipeline = async->data;

    pipeline->options.on_durable(pipeline->options.context, store_durable(pipeline->store));
}

static void tell_ended(struct pipeline *pipeline)
{
    struct ended *ended, *next;

    uv_mutex_lock(&pipeline->ended_lock);
    ended = pipeline->ended;
    pipeline->ended = NULL;
    uv_mutex_unlock(&pipeline->ended_lock);
    for (; ended != NULL; ended = next) {
        next = ended->next;
        ended->on_end(ended->context, ended->error);
        free(ended);
    }
}

/* Any thread. Once it is in the list, `ended` is the loop's, which may have freed it already. */
static void on_ended(void *context, int error)
{
    struct ended *ended = context, **last;
    struct pipeline *pipeline = ended->pipeline;

    ended->error = error;
    uv_mutex_lock(&pipeline->ended_lock);
    for (last = &pipeline->ended; *last != NULL; last = &(*last)->next)
        ;
    *last = ended;
    uv_mutex_unlock(&pipeline->ended_lock);
    uv_async_send(&pipeline->wake);
}

static void on_wake(uv_async_t *async)
{
    tell_ended(async->data); /* and the store's own work is done at the end of the turn */
}

static void on_store_durable(void *context)
{
    struct pipeline *pipeline = context;
    uv_async_send(&pipeline->durable);
}

static void on_store_wake(void *context)
{
    struct pipeline *pipeline = context;
    uv_async_send(&pipeline->wake);
}

static void init_handles(struct pipeline *pipeline, uv_loop_t *loop)
{
    uv_prepare_init(loop, &pipeline->turn_end);
    uv_async_init(loop, &pipeline->durable, on_durable);
    uv_async_init(loop, &pipeline->wake, on_wake);
    uv_timer_init(loop, &pipeline->tick);
    later_init(&pipeline->later, loop);
    uv_timer_init(loop, &pipeline->due);
    pipeline->due.data = pipeline;
    uv_unref((uv_handle_t *)&pipeline->due);
    pipeline->turn_end.data = pipeline;
    pipeline->durable.data = pipeline;
    pipeline->wake.data = pipeline;
    pipeline->tick.data = pipeline;
    uv_prepare_start(&pipeline->turn_end, on_turn_end);
    /* The server decides when the loop ends, not these. */
    uv_unref((uv_handle_t *)&pipeline->turn_end);
    uv_unref((uv_handle_t *)&pipeline->durable);
    uv_unref((uv_handle_t *)&pipeline->wake);
    uv_unref((uv_handle_t *)&pipeline->tick);
}

static void count_campaigns(void *context)
{
    struct pipeline *pipeline = context;
    struct txn *txn = store_begin(pipeline->store);

    if (campaign_count_slice(&pipeline->campaign_count, txn))
        later_put(&pipeline->later, count_campaigns, pipeline);
    store_abort(txn);
}

int pipeline_open(struct pipeline **out, uv_loop_t *loop, const struct pipeline_options *options,
                  struct buffer *why)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    struct txn *txn;
    int error;

    assert(pipeline != NULL);
    pipeline->options = *options;
    pipeline->due_ms = pipeline->due_set_ms = INT64_MAX;
    due_floor_init(&pipeline->due_floor);
    pipeline->options.store.on_durable = on_store_durable;
    pipeline->options.store.on_wake = on_store_wake;
    pipeline->options.store.context = pipeline;
    uv_mutex_init(&pipeline->ended_lock);
    init_handles(pipeline, loop);
    error = store_open(&pipeline->store, &pipeline->options.store, why);
    if (error != 0) {
        close_handles(pipeline);
        uv_run(loop, UV_RUN_DEFAULT);
        free(pipeline);
        return error;
    }
    txn = store_begin(pipeline->store);
    engine_state_load(txn, &pipeline->state);
    city_index_init(&pipeline->cities, &pipeline->state.secret);
    city_index_load(&pipeline->cities, txn);
    store_abort(txn);
    pipeline->number_stored = pipeline->state.number_last;
    clock_init(&pipeline->clock, id_time_ms(pipeline->state.number_last),
               options->is_test_clock ? pipeline->state.clock_offset_ms : 0);
    campaign_count_init(&pipeline->campaign_count);
    count_campaigns(pipeline);
    *out = pipeline;
    return 0;
}

void pipeline_close(struct pipeline *pipeline)
{
    assert(!pipeline->is_closed);
    store_number(pipeline);
    store_stop_history(pipeline->store);
    tell_ended(pipeline); /* who was answered may still read */
    store_close(pipeline->store, true);
    tell_ended(pipeline);
    pipeline->store = NULL;
    pipeline->is_closed = true;
    close_handles(pipeline);
}

void pipeline_free(struct pipeline *pipeline)
{
    assert(pipeline->is_closed);
    later_release(&pipeline->later);
    city_index_release(&pipeline->cities);
    uv_mutex_destroy(&pipeline->ended_lock);
    free(pipeline);
}

void pipeline_flush(struct pipeline *pipeline)
{
    store_number(pipeline);
    store_flush(pipeline->store);
}

static int on_scan_row(void *context, enum table table, const void *key, size_t key_size,
                       const void *value, size_t value_size)
{
    struct scan *scan = context;

    return scan->asked.on_row(scan->asked.context, table, key, key_size, value, value_size);
}

int pipeline_scan(struct pipeline *pipeline, const struct pipeline_scan *asked)
{
    struct scan *scan = malloc(sizeof *scan);
    int error;

    assert(scan != NULL);
    *scan =
        (struct scan){.ended = {pipeline, asked->on_end, asked->context, 0, NULL}, .asked = *asked};
    error = store_scan(pipeline->store, &(struct store_scan){.tables = asked->tables,
                                                             .table_count = asked->table_count,
                                                             .prefix = asked->prefix,
                                                             .prefix_size = asked->prefix_size,
                                                             .on_row = on_scan_row,
                                                             .on_end = on_ended,
                                                             .context = scan});
    if (error != 0)
        free(scan);
    return error;
}

int pipeline_history(struct pipeline *pipeline, struct history_request *request)
{
    struct history *history = store_history(pipeline->store);
    struct ended *ended;

    if (history == NULL)
        return -1;
    ended = malloc(sizeof *ended);
    assert(ended != NULL);
    *ended = (struct ended){pipeline, request->on_end, request->end_context, 0, NULL};
    request->on_end = on_ended;
    request->end_context = ended;
    if (history_ask(history, request) == 0)
        return 0;
    request->on_end = ended->on_end;
    request->end_context = ended->context;
    free(ended);
    return -1;
}

enum outcome pipeline_admits(const struct pipeline *pipeline)
{
    switch (store_admits(pipeline->store)) {
    case STORE_ADMITS:
        return OUTCOME_OK;
    case STORE_OVERLOADED:
        return OUTCOME_OVERLOADED;
    case STORE_STORAGE_FULL:
        return OUTCOME_STORAGE_FULL;
    }
    assert(!"an admission that store.h does not name");
    return OUTCOME_INTERNAL;
}

bool pipeline_has_room(struct pipeline *pipeline)
{
    bool has_room = store_fullness(pipeline->store) < PRESSED_FULLNESS;

    if (!has_room)
        store_request_checkpoint(pipeline->store);
    return has_room;
}

static void note_due(struct pipeline *pipeline, const struct engine_effect *effect)
{
    if (effect->has_more_due)
        due_floor_init(&pipeline->due_floor);
    for (uint32_t i = 0; i < effect->due_count; i++)
        due_floor_put(&pipeline->due_floor, effect->due_ms[i]);
}

static void run(struct pipeline *pipeline, struct txn *txn, struct command *command,
                struct result *result)
{
    struct engine_effect effect;

    command->number = id_next(pipeline->state.number_last, clock_wall_ms(&pipeline->clock));
    command->now_ms = id_time_ms(command->number);
    engine_apply(txn, command, result, &effect);
    pipeline->state.number_last = effect.number_last;
    if (effect.due_first_ms < pipeline->due_ms)
        pipeline->due_ms = effect.due_first_ms;
    note_due(pipeline, &effect);
    for (uint32_t i = 0; i < effect.wake_count && pipeline->on_outbox != NULL; i++)
        pipeline->on_outbox(pipeline->on_outbox_context, &effect.wakes[i]);
    if (effect.is_visit_forgotten)
        city_forget(&pipeline->cities, effect.forgotten.city, effect.forgotten.mobile);
    effect_count(&effect);
    if (effect.campaign != 0)
        campaign_count_effect(&pipeline->campaign_count, &effect);
    if (effect.webhook_endpoint != 0 && pipeline->on_webhook != NULL)
        pipeline->on_webhook(pipeline->on_webhook_context, effect.webhook_endpoint);
    metric_add(METRIC_COMMANDS, 1);
    if (result->is_replayed)
        metric_add(METRIC_COMMANDS_REPLAYED, 1);
}

void pipeline_expect(struct pipeline *pipeline, const struct command *command,
                     enum txn_distance distance)
{
    struct txn *txn = store_begin(pipeline->store);

    engine_expect(txn, command, distance);
    store_abort(txn);
}

uint64_t pipeline_run(struct pipeline *pipeline, struct command *command, struct result *result)
{
    struct txn *txn;

    result->outcome = pipeline_admits(pipeline);
    if (result->outcome != OUTCOME_OK) {
        result->is_replayed = false;
        return 0;
    }
    txn = store_begin(pipeline->store);
    run(pipeline, txn, command, result);
    store_commit(txn);
    return store_visible(pipeline->store);
}

bool pipeline_run_atomic(struct pipeline *pipeline, struct command *commands, size_t count,
                         struct result *results, bool is_trial, uint64_t *hold)
{
    enum outcome admitted = pipeline_admits(pipeline);
    bool is_done = admitted == OUTCOME_OK;
    struct txn *txn;

    *hold = 0;
    if (!is_done) {
        for (size_t i = 0; i < count; i++)
            results[i] = (struct result){.outcome = admitted};
        return false;
    }
    txn = store_begin(pipeline->store);
    for (size_t i = 0; i < count; i++) {
        if (store_txn_has_room(txn))
            run(pipeline, txn, &commands[i], &results[i]);
        else
            results[i] = (struct result){.outcome = OUTCOME_BODY_TOO_LARGE};
        is_done = is_done && results[i].outcome == OUTCOME_OK;
    }
    is_done = is_done && !is_trial;
    if (is_done)
        store_commit(txn);
    else
        store_abort(txn);
    *hold = store_visible(pipeline->store);
    return is_done;
}

struct txn *pipeline_read_begin(struct pipeline *pipeline)
{
    return store_begin(pipeline->store);
}

uint64_t pipeline_read_end(struct pipeline *pipeline, struct txn *txn)
{
    store_abort(txn);
    return store_visible(pipeline->store);
}

uint64_t pipeline_durable(const struct pipeline *pipeline)
{
    return store_durable(pipeline->store);
}

int64_t pipeline_now_ms(struct pipeline *pipeline)
{
    return clock_wall_ms(&pipeline->clock);
}

uint64_t pipeline_advance_clock(struct pipeline *pipeline, int64_t ms)
{
    struct command command = {.type = COMMAND_CLOCK_ADVANCE};
    struct result result;

    assert(pipeline->options.is_test_clock && ms >= 0);
    clock_advance(&pipeline->clock, ms);
    /* The timer was set by the clock as it was, perhaps for something that has gone since. */
    pipeline->due_ms = clock_wall_ms(&pipeline->clock);
    command.of.clock_advance.offset_ms = pipeline->clock.offset_ms;
    return pipeline_run(pipeline, &command, &result);
}

bool pipeline_is_new(const struct pipeline *pipeline)
{
    return !pipeline->state.is_bootstrapped;
}

void pipeline_bootstrap(struct pipeline *pipeline, struct command *command)
{
    struct result result;
    struct txn *txn;
    uint64_t number_last;

    pipeline_run(pipeline, command, &result);
    assert(result.outcome == OUTCOME_OK);
    number_last = pipeline->state.number_last;
    txn = store_begin(pipeline->store);
    engine_state_load(txn, &pipeline->state);
    store_abort(txn);
    pipeline->state.number_last =
        number_last; /* is stored with the batch, at the end of the turn */
}

const struct hash_key *pipeline_secret(const struct pipeline *pipeline)
{
    return &pipeline->state.secret;
}

const char *pipeline_data_dir(const struct pipeline *pipeline)
{
    return pipeline->options.store.data_dir;
}

struct city_index *pipeline_cities(struct pipeline *pipeline)
{
    return &pipeline->cities;
}

struct store *pipeline_store(struct pipeline *pipeline)
{
    return pipeline->store;
}
