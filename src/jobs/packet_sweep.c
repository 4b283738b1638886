/* The safety net under the due index (PKT-10): looks, off the loop, at the packets past their time
 * that are not done with, and puts those back into the index that it has lost. There are none,
 * unless smsd has a fault: each counts, in `done` of /v1/jobs and in a metric. Those whose row is
 * there are the due job's, which may be working through many. */
#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/metric.h"
#include "engine/packet.h"
#include "jobs/job.h"
#include "pipeline/pipeline.h"

enum {
    PACKETS_MAX = 1 << 20, /* 8 MiB; what is beyond waits for the next run */
    SLICE_PACKETS = 256,
    SCAN_IS_DONE = 1, /* ends the scan: the rest is not yet due */
};

struct sweep {
    struct job *job;
    int64_t now_ms;
    uint64_t *packets;
    size_t count, looked_at;
    uint64_t done;
};

/* Keys are expiry and number; the first not yet expired is the end. On the scan's thread. */
static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct sweep *sweep = context;

    (void)table, (void)value, (void)value_size;
    assert(key_size == 16);
    if (sweep->count == PACKETS_MAX || (int64_t)bytes_get_u64_be(key) > sweep->now_ms)
        return SCAN_IS_DONE;
    sweep->packets[sweep->count++] = bytes_get_u64_be((const char *)key + 8);
    return 0;
}

static void finish(struct sweep *sweep, bool is_failed)
{
    struct job *job = sweep->job;
    uint64_t done = sweep->done;

    free(sweep->packets);
    free(sweep);
    job->run = NULL;
    job_finish(job, done, is_failed);
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

static void look_at_slice(struct job *job)
{
    struct sweep *sweep = job->run;

    for (int i = 0; i < SLICE_PACKETS && sweep->looked_at < sweep->count; i++) {
        uint64_t packet = sweep->packets[sweep->looked_at++];
        if (is_forgotten(sweep, packet))
            put_back(sweep, packet);
    }
    if (job->is_stopped || sweep->looked_at == sweep->count)
        finish(sweep, false);
    else
        job_continue(job, 0, look_at_slice);
}

static void on_scan_end(void *context, int error)
{
    struct sweep *sweep = context;
    bool is_failed = error != 0 && error != SCAN_IS_DONE;

    if (is_failed || sweep->job->is_stopped)
        finish(sweep, is_failed);
    else
        look_at_slice(sweep->job);
}

void job_packet_sweep(struct job *job)
{
    static const enum table tables[] = {TABLE_PACKET_UNFINISHED};
    struct sweep *sweep = calloc(1, sizeof *sweep);
    struct pipeline_scan scan = {.tables = tables,
                                 .table_count = 1,
                                 .on_row = on_row,
                                 .on_end = on_scan_end,
                                 .context = sweep};

    assert(sweep != NULL && job->run == NULL);
    sweep->job = job;
    sweep->now_ms = pipeline_now_ms(job->pipeline);
    sweep->packets = malloc(PACKETS_MAX * sizeof *sweep->packets); /* touched as it fills */
    assert(sweep->packets != NULL);
    job->run = sweep;
    if (pipeline_scan(job->pipeline, &scan) != 0)
        finish(sweep, true);
}
