/* What is hard: commands change campaigns while rows are still being counted. A campaign up to
 * `counted_to` is counted by what they do, one behind it when the walk comes to its row, which is
 * then as they have left it. */
#include "pipeline/campaign_count.h"

#include "base/bytes.h"
#include "base/metric.h"
#include "engine/campaign.h"
#include "engine/engine.h"

enum { SLICE_ROWS = 1024 };

static const enum metric metrics[] = {
    [CAMPAIGN_DRAFT] = METRIC_CAMPAIGNS_DRAFT,
    [CAMPAIGN_SCHEDULED] = METRIC_CAMPAIGNS_SCHEDULED,
    [CAMPAIGN_RUNNING] = METRIC_CAMPAIGNS_RUNNING,
    [CAMPAIGN_PAUSED] = METRIC_CAMPAIGNS_PAUSED,
    [CAMPAIGN_CANCELING] = METRIC_CAMPAIGNS_CANCELING,
};

enum { LIVE_STATUSES = sizeof metrics / sizeof *metrics };
static_assert(CAMPAIGN_DRAFT == 1 && LIVE_STATUSES == CAMPAIGN_CANCELING + 1, "no end among them");
static_assert((int)CAMPAIGN_CANCELED < (int)CAMPAIGN_MOVES, "the last of them");

void campaign_count_init(struct campaign_count *count)
{
    count->counted_to = 0;
    for (int status = CAMPAIGN_DRAFT; status < LIVE_STATUSES; status++)
        metric_set(metrics[status], 0);
    metric_set(METRIC_CAMPAIGN_RECIPIENTS_WAITING, 0);
}

static void count_row(const struct campaign_row *row)
{
    if (row->status < LIVE_STATUSES)
        metric_add(metrics[row->status], 1);
    metric_add(METRIC_CAMPAIGN_RECIPIENTS_WAITING, campaign_waiting(row));
}

bool campaign_count_slice(struct campaign_count *count, struct txn *txn)
{
    struct campaign_row row;
    struct txn_walk *walk;
    bool has_more = true;
    char from[8];

    bytes_put_u64_be(from, count->counted_to + 1);
    walk = txn_walk(txn, TABLE_CAMPAIGN, WALK_UP, from, sizeof from);
    for (int i = 0; i < SLICE_ROWS && has_more; i++) {
        has_more = txn_walk_next(walk);
        if (!has_more)
            break;
        count->counted_to = bytes_get_u64_be(walk->key);
        if (campaign_row_read(walk->value, walk->value_size, &row))
            count_row(&row);
    }
    txn_walk_end(walk);
    if (!has_more)
        count->counted_to = UINT64_MAX;
    return has_more;
}

void campaign_count_effect(const struct campaign_count *count, const struct engine_effect *effect)
{
    const int8_t *moves = effect->campaign_moves;

    metric_add(METRIC_CAMPAIGN_RECIPIENTS_SUBMITTED, effect->campaign_submitted);
    metric_add(METRIC_CAMPAIGN_RECIPIENTS_REFUSED, effect->campaign_refused);
    metric_add(METRIC_CAMPAIGNS_STUCK, effect->is_campaign_stuck);
    metric_add(METRIC_CAMPAIGNS_EXPIRED, effect->is_campaign_expired);
    metric_add(METRIC_CAMPAIGNS_FINISHED, moves[CAMPAIGN_FINISHED] > 0);
    metric_add(METRIC_CAMPAIGNS_CANCELED,
               moves[CAMPAIGN_CANCELED] > 0 && !effect->is_campaign_expired);
    if (effect->campaign > count->counted_to)
        return;
    for (int status = CAMPAIGN_DRAFT; status < LIVE_STATUSES; status++)
        metric_add(metrics[status], (uint64_t)(int64_t)moves[status]);
    metric_add(METRIC_CAMPAIGN_RECIPIENTS_WAITING, (uint64_t)effect->campaign_waiting);
}
