/* The bucket, in whole thousandths of a token: no rounding, no drift. */
#include "gateway/rate.h"

enum { TOKEN = 1000, BURSTS_PER_SECOND = 10, URGENT_SHARE = 4 };

void rate_set(struct rate *rate, int64_t per_second, int64_t now_ms)
{
    if (rate->per_second == per_second)
        return;
    rate->per_second = per_second;
    rate->tokens_max = per_second * TOKEN / BURSTS_PER_SECOND;
    if (rate->tokens_max < TOKEN)
        rate->tokens_max = TOKEN;
    rate->tokens = rate->tokens_max;
    rate->at_ms = now_ms;
}

static void fill(struct rate *rate, int64_t now_ms)
{
    int64_t passed_ms = now_ms - rate->at_ms;

    if (passed_ms <= 0)
        return;
    rate->at_ms = now_ms;
    if (passed_ms >= (rate->tokens_max - rate->tokens) / rate->per_second + 1)
        rate->tokens = rate->tokens_max;
    else
        rate->tokens += passed_ms * rate->per_second;
    if (rate->tokens > rate->tokens_max)
        rate->tokens = rate->tokens_max;
}

/* What must be in the bucket. A bucket of less than four tokens has nothing to keep. */
static int64_t needed(const struct rate *rate, bool is_urgent)
{
    int64_t kept = rate->tokens_max / URGENT_SHARE / TOKEN * TOKEN;

    return is_urgent ? TOKEN : TOKEN + kept;
}

bool rate_allows(struct rate *rate, bool is_urgent, int64_t now_ms)
{
    if (rate->per_second == 0)
        return true;
    fill(rate, now_ms);
    return rate->tokens >= needed(rate, is_urgent);
}

void rate_take(struct rate *rate)
{
    if (rate->per_second != 0)
        rate->tokens -= TOKEN;
}

int64_t rate_wait_ms(const struct rate *rate, bool is_urgent)
{
    int64_t missing = rate->per_second == 0 ? 0 : needed(rate, is_urgent) - rate->tokens;

    return missing <= 0 ? 0 : (missing + rate->per_second - 1) / rate->per_second;
}
