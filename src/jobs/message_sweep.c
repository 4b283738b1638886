/* The five-minute sweep (SMS-10). A lane of a product stands still if its first message is the same
 * as at the last sweep and long due: then everything due in it goes by another route where one
 * exists. A lane that moves is only slow (a campaign at its product's rate) and is left alone.
 *
 * The same pass is the safety net under due index and outbox: rows that were lost are put back, and
 * a message that has been with a gateway for an hour is recovered. There are none, unless smsd has
 * a fault.
 *
 * The rows are read off the loop; what was found is looked at again, and done, in slices on it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/metric.h"
#include "engine/message.h"
#include "engine/outbox.h"
#include "jobs/sweep.h"

enum {
    FOUND_BYTES_MAX = 16 << 20,
    LANES_MAX = 1 << 12,
    SLICE_MESSAGES = 256,
    LATE_MS = 300000,
    SENDING_MS = 3600000,
};

enum reason { LATE, STANDING, WITH_GATEWAY };

/* A lane and its first message. */
struct lane {
    uint64_t product;
    enum message_kind kind;
    struct outbox_item first;
};

struct lanes {
    struct lane items[LANES_MAX];
    size_t count;
};

struct message_sweep {
    const struct lanes *before; /* at the last sweep; NULL: this is the first */
    struct lanes *lanes;
    bool is_standing; /* the lane that is being read */
};

struct found {
    uint64_t message;
    enum reason reason;
};

/* --- on the scan's thread ------------------------------------------------------------------------
 */

static void note(struct sweep *sweep, uint64_t message, enum reason reason)
{
    struct found found = {message, reason};

    sweep_note(sweep, &found, sizeof found);
}

static bool was_first(const struct lanes *lanes, const struct lane *lane)
{
    for (size_t i = 0; lanes != NULL && i < lanes->count; i++) {
        const struct lane *before = &lanes->items[i];
        if (before->product == lane->product && before->kind == lane->kind)
            return before->first.message == lane->first.message &&
                   before->first.due_ms == lane->first.due_ms;
    }
    return false;
}

static void on_outbox_row(struct sweep *sweep, const struct lane *row)
{
    struct message_sweep *own = sweep->own;
    struct lanes *lanes = own->lanes;
    const struct lane *last = lanes->count == 0 ? NULL : &lanes->items[lanes->count - 1];

    if (last == NULL || last->product != row->product || last->kind != row->kind) {
        own->is_standing =
            row->first.due_ms + LATE_MS <= sweep->now_ms && was_first(own->before, row);
        if (lanes->count < LANES_MAX)
            lanes->items[lanes->count++] = *row;
    }
    if (own->is_standing && row->first.due_ms <= sweep->now_ms)
        note(sweep, row->first.message, STANDING);
    else if (row->first.due_ms + LATE_MS <= sweep->now_ms)
        note(sweep, row->first.message, LATE);
}

static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct sweep *sweep = context;
    struct lane row;

    (void)value, (void)value_size;
    if (table == TABLE_MESSAGE_SENDING) {
        note(sweep, bytes_get_u64_be(key), WITH_GATEWAY);
    } else if (outbox_read_key(key, key_size, &row.product, &row.kind, &row.first)) {
        on_outbox_row(sweep, &row);
    }
    return SWEEP_ON;
}

/* --- on the loop ---------------------------------------------------------------------------------
 */

static void run(struct sweep *sweep, struct command *command, uint64_t message)
{
    struct result result;

    pipeline_run(sweep->job->pipeline, command, &result);
    if (result.outcome != OUTCOME_OK || !result.of.message_change.is_changed)
        return; /* nothing to do, or nothing is admitted now: the next run finds it again */
    sweep->done++;
    metric_add(METRIC_MESSAGES_SWEPT, 1);
    if (command->type == COMMAND_MESSAGE_RECOVER || !command->of.message_sweep.is_standing)
        log_event(LOG_ERROR, "message_lost", LOG_NUMBER("message", message));
}

/* By now it may be somewhere else. */
static bool needs_sweep(struct sweep *sweep, const struct found *found)
{
    struct txn *txn = pipeline_read_begin(sweep->job->pipeline);
    struct message_row row;
    bool needs = message_find(txn, found->message, &row);

    if (needs && found->reason == WITH_GATEWAY)
        needs = row.status == MESSAGE_SENDING && row.sending_ms + SENDING_MS <= sweep->now_ms;
    else if (needs && found->reason == LATE)
        needs = message_is_forgotten(txn, found->message);
    pipeline_read_end(sweep->job->pipeline, txn);
    return needs;
}

static void look_at(struct sweep *sweep, const struct found *found)
{
    struct command command = {.type = COMMAND_MESSAGE_SWEEP};

    if (!needs_sweep(sweep, found))
        return;
    if (found->reason == WITH_GATEWAY) {
        command.type = COMMAND_MESSAGE_RECOVER;
        command.of.message_recover.message = found->message;
    } else {
        command.of.message_sweep.message = found->message;
        command.of.message_sweep.is_standing = found->reason == STANDING;
    }
    run(sweep, &command, found->message);
}

static size_t look_at_slice(struct sweep *sweep, const char *found, size_t size)
{
    size_t taken = 0;

    for (int i = 0; i < SLICE_MESSAGES && taken < size; i++, taken += sizeof(struct found)) {
        struct found one;
        memcpy(&one, found + taken, sizeof one);
        look_at(sweep, &one);
    }
    return taken;
}

/* The next sweep is told where lanes began at the last one that did not fail. */
static void on_end(struct sweep *sweep, bool is_failed)
{
    struct message_sweep *own = sweep->own;

    if (is_failed) {
        free(own->lanes);
    } else {
        free(sweep->job->kept);
        sweep->job->kept = own->lanes;
    }
    free(own);
}

void job_message_sweep(struct job *job)
{
    static const enum table tables[] = {TABLE_OUTBOX, TABLE_MESSAGE_SENDING};
    static const struct sweep_kind kind = {.tables = tables,
                                           .table_count = 2,
                                           .found_bytes_max = FOUND_BYTES_MAX,
                                           .on_row = on_row,
                                           .do_slice = look_at_slice,
                                           .on_end = on_end};
    struct message_sweep *own = calloc(1, sizeof *own);

    assert(own != NULL);
    own->before = job->kept;
    own->lanes = malloc(sizeof *own->lanes); /* touched as they fill */
    assert(own->lanes != NULL);
    own->lanes->count = 0;
    sweep_begin(job, &kind, own);
}
