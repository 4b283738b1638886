/* A token bucket: at most so many a second, in bursts of at most a tenth of that. A part of the
 * burst is kept for codes, so that they need not wait behind what is less urgent. */
#ifndef SMSD_GATEWAY_RATE_H
#define SMSD_GATEWAY_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    int64_t per_second; /* 0: no limit */
    int64_t tokens;     /* in thousandths, so that a millisecond adds `per_second` of them */
    int64_t tokens_max;
    int64_t at_ms; /* up to which tokens were added */
};

/* A bucket that was at work keeps what it has. */
void rate_set(struct rate *rate, int64_t per_second, int64_t now_ms);
/* May one go? Those that are not urgent leave a quarter of the burst. */
bool rate_allows(struct rate *rate, bool is_urgent, int64_t now_ms);
void rate_take(struct rate *rate);
/* How long until it may. */
int64_t rate_wait_ms(const struct rate *rate, bool is_urgent);

#endif
