/* The table of delays, and what is added to spread them. */
#include <assert.h>

#include "base/hash.h"
#include "engine/webhook.h"

static const int32_t delays_s[] = {
#define WEBHOOK_DELAY(seconds) seconds,
#include "engine/webhook_delay.def"
#undef WEBHOOK_DELAY
};

enum { DELAY_COUNT = sizeof delays_s / sizeof *delays_s, SPREAD_PART = 10, SPREAD_STEPS = 1024 };

static_assert(DELAY_COUNT + 1 == WEBHOOK_ATTEMPTS_MAX, "a row keeps every attempt");

int64_t webhook_delay_ms(uint64_t number, unsigned attempts, int64_t retry_after_ms)
{
    struct hash_key key = {attempts, 0};
    int64_t delay_ms, spread;

    assert(attempts >= 1 && attempts <= DELAY_COUNT);
    if (retry_after_ms > WEBHOOK_RETRY_AFTER_MAX_MS)
        retry_after_ms = WEBHOOK_RETRY_AFTER_MAX_MS;
    delay_ms = INT64_C(1000) * delays_s[attempts - 1];
    if (delay_ms < retry_after_ms)
        delay_ms = retry_after_ms;
    spread = (int64_t)(hash64(&key, &number, sizeof number) % SPREAD_STEPS);
    return delay_ms + delay_ms / SPREAD_PART * spread / SPREAD_STEPS;
}
