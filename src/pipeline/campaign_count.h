/* Inside the room: how many campaigns there are in each status that is no end, and how many
 * recipients wait for their turn, as metrics. No row says so: the rows are counted once, at the
 * start, some in a turn of the loop, and from there on what commands make of them. */
#ifndef SMSD_PIPELINE_CAMPAIGN_COUNT_H
#define SMSD_PIPELINE_CAMPAIGN_COUNT_H

#include <stdbool.h>
#include <stdint.h>

struct engine_effect;
struct txn;

struct campaign_count {
    uint64_t counted_to; /* campaigns up to this number are counted */
};

/* Nothing is counted. */
void campaign_count_init(struct campaign_count *count);
/* Counts some more. False: all are. */
bool campaign_count_slice(struct campaign_count *count, struct txn *txn);
/* What a command made of a campaign: counted if the rows were, or else with them. */
void campaign_count_effect(const struct campaign_count *count, const struct engine_effect *effect);

#endif
