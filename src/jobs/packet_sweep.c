/* The safety net under the due index (PKT-10): looks, off the loop, at the packets past their time
 * that are not done with, and puts those back into the index that it has lost. There are none,
 * unless smsd has a fault: each counts, in `done` of /v1/jobs and in a metric. Those whose row is
 * there are the due job's, which may be working through many. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/metric.h"
#include "engine/packet.h"
#include "jobs/sweep.h"

enum {
    PACKET_BYTES = sizeof(uint64_t),
    FOUND_BYTES_MAX = 8 << 20,
    SLICE_PACKETS = 256,
};

/* Keys are expiry and number; the first not yet expired is the end. */
static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct sweep *sweep = context;
    uint64_t packet;

    (void)table, (void)value, (void)value_size;
    assert(key_size == 16);
    if ((int64_t)bytes_get_u64_be(key) > sweep->now_ms || sweep->found.size == FOUND_BYTES_MAX)
        return SWEEP_ENOUGH;
    packet = bytes_get_u64_be((const char *)key + 8);
    sweep_note(sweep, &packet, PACKET_BYTES);
    return SWEEP_ON;
}

static void put_back(struct sweep *sweep, uint64_t packet)
{
    struct command command = {.type = COMMAND_PACKET_SWEEP, .of.packet_sweep.packet = packet};
    struct result result;

    pipeline_run(sweep->job->pipeline, &command, &result);
    if (result.outcome != OUTCOME_OK)
        return; /* nothing is admitted now: the next run finds it again */
    sweep->done++;
    metric_add(METRIC_PACKETS_SWEPT, 1);
    log_event(LOG_ERROR, "packet_lost_by_due_index", LOG_NUMBER("packet", packet));
}

/* By now it may be done with, or its row in the index may be there. */
static bool is_forgotten(struct sweep *sweep, uint64_t packet)
{
    struct txn *txn = pipeline_read_begin(sweep->job->pipeline);
    bool is = packet_is_forgotten(txn, packet, sweep->now_ms);

    pipeline_read_end(sweep->job->pipeline, txn);
    return is;
}

static size_t look_at_slice(struct sweep *sweep, const char *found, size_t size)
{
    size_t taken = 0;

    for (int i = 0; i < SLICE_PACKETS && taken < size; i++, taken += PACKET_BYTES) {
        uint64_t packet;
        memcpy(&packet, found + taken, sizeof packet);
        if (is_forgotten(sweep, packet))
            put_back(sweep, packet);
    }
    return taken;
}

void job_packet_sweep(struct job *job)
{
    static const enum table tables[] = {TABLE_PACKET_UNFINISHED};
    static const struct sweep_kind kind = {.tables = tables,
                                           .table_count = 1,
                                           .found_bytes_max = FOUND_BYTES_MAX,
                                           .on_row = on_row,
                                           .do_slice = look_at_slice};

    sweep_begin(job, &kind, NULL);
}
