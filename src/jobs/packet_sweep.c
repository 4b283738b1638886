/* The safety net under the due index (PKT-10): walks the packets past their time that are not done
 * with, and puts those back into the index that it has lost. There are none, unless smsd has a
 * fault: each counts, in `done` of /v1/jobs and in a metric. Those whose row is there are the due
 * job's, which may be working through many. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "engine/packet.h"
#include "jobs/job.h"
#include "pipeline/pipeline.h"

enum { SLICE_PACKETS = 256, KEY_SIZE = 16 };

struct sweep {
    char from[KEY_SIZE]; /* expiry and number of the packet to go on with */
    int64_t now_ms;
    uint64_t done;
};

/* Looks at some packets; false: there are no more. `*lost` is one to put back, 0: none of them. */
static bool look(struct job *job, struct sweep *sweep, uint64_t *lost)
{
    struct txn *txn = pipeline_read_begin(job->pipeline);
    struct txn_walk *walk =
        txn_walk(txn, TABLE_PACKET_UNFINISHED, WALK_UP, sweep->from, sizeof sweep->from);
    bool has_more = true;

    *lost = 0;
    for (int i = 0; i < SLICE_PACKETS && *lost == 0 && has_more; i++) {
        has_more = txn_walk_next(walk) && (int64_t)bytes_get_u64_be(walk->key) <= sweep->now_ms;
        if (has_more) {
            uint64_t number = bytes_get_u64_be((const char *)walk->key + 8);
            memcpy(sweep->from, walk->key, sizeof sweep->from);
            bytes_put_u64_be(sweep->from + 8, number + 1);
            if (packet_is_forgotten(txn, number, sweep->now_ms))
                *lost = number;
        }
    }
    txn_walk_end(walk);
    pipeline_read_end(job->pipeline, txn);
    return has_more;
}

static void put_back(struct job *job, struct sweep *sweep, uint64_t number)
{
    struct command command = {.type = COMMAND_PACKET_SWEEP, .of.packet_sweep.packet = number};
    struct result result;

    pipeline_run(job->pipeline, &command, &result);
    if (result.outcome != OUTCOME_OK)
        return; /* nothing is admitted now: the next run finds it again */
    sweep->done++;
    metric_add(METRIC_PACKETS_SWEPT, 1);
    log_event(LOG_ERROR, "packet_lost_by_due_index", LOG_NUMBER("packet", number));
}

static void run_slice(struct job *job)
{
    struct sweep *sweep = job->run;
    uint64_t lost, done;
    bool has_more = !job->is_stopped && look(job, sweep, &lost);

    if (has_more) {
        if (lost != 0)
            put_back(job, sweep, lost);
        job_continue(job, 0, run_slice);
        return;
    }
    done = sweep->done;
    free(sweep);
    job->run = NULL;
    job_finish(job, done, false);
}

void job_packet_sweep(struct job *job)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);

    assert(sweep != NULL && job->run == NULL);
    sweep->now_ms = pipeline_now_ms(job->pipeline);
    job->run = sweep;
    run_slice(job);
}
