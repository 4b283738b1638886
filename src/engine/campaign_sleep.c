/* Who is asleep, see campaign_sleep.h. Those who woke leave from the front, and what was deleted
 * there lies in memory until a checkpoint: row->woken is where to begin, so that it is not passed
 * over for each of those behind. */
#include "engine/campaign_sleep.h"

#include <assert.h>

#include "base/bytes.h"
#include "engine/campaign.h"
#include "engine/handler.h"

enum { MINUTE_MS = 60000, COUNT_BITS = 32 };

/* Whole minutes: quiet hours that end within one are over when it is. */
static uint64_t place_of(int64_t until_ms, uint32_t laid)
{
    return ((uint64_t)(until_ms + MINUTE_MS - 1) / MINUTE_MS) << COUNT_BITS | laid;
}

static int64_t wakes_ms(uint64_t place)
{
    return (int64_t)(place >> COUNT_BITS) * MINUTE_MS;
}

/* The first place, and who lies there. False: it is behind `last`. */
static bool find_first(struct txn *txn, const struct campaign_row *row, uint64_t last,
                       uint64_t *place, uint64_t *to)
{
    char from[CAMPAIGN_KEY_SIZE], until[CAMPAIGN_KEY_SIZE];
    struct txn_walk *walk;
    bool is_there;

    if (row->asleep == 0 || last <= row->woken)
        return false;
    campaign_key(from, row->number, row->woken + 1);
    campaign_key(until, row->number, last);
    walk = txn_walk(txn, TABLE_CAMPAIGN_ASLEEP, WALK_UP, from, sizeof from);
    txn_walk_until(walk, until, sizeof until);
    is_there = txn_walk_next(walk);
    if (is_there) {
        *place = bytes_get_u64_be((const char *)walk->key + 8);
        *to = bytes_get_u64_be(walk->value);
    }
    txn_walk_end(walk);
    return is_there;
}

bool campaign_sleep_first(struct txn *txn, const struct campaign_row *row, int64_t now_ms,
                          uint64_t *place, struct campaign_recipient *recipient)
{
    uint64_t minute = (uint64_t)now_ms / MINUTE_MS, to;
    char key[CAMPAIGN_KEY_SIZE];
    const void *value;
    bool is_whole;
    size_t size;

    if (!find_first(txn, row, minute << COUNT_BITS | UINT32_MAX, place, &to))
        return false;
    campaign_key(key, row->number, to);
    value = txn_get(txn, TABLE_CAMPAIGN_RECIPIENT, key, sizeof key, &size);
    assert(value != NULL);
    is_whole = campaign_recipient_read(key, sizeof key, value, size, recipient);
    assert(is_whole && recipient->row.turn == CAMPAIGN_ASLEEP && recipient->row.message == *place);
    return true;
}

int64_t campaign_sleep_until_ms(struct txn *txn, const struct campaign_row *row)
{
    uint64_t place, to;

    if (!find_first(txn, row, UINT64_MAX, &place, &to))
        assert(!"a campaign in which nobody sleeps");
    return wakes_ms(place);
}

void campaign_sleep_begin(struct engine *engine, struct campaign_row *row,
                          struct campaign_recipient *recipient, int64_t until_ms)
{
    uint64_t place = place_of(until_ms, row->laid++);
    char key[CAMPAIGN_KEY_SIZE], to[8];

    assert(until_ms > engine->command->now_ms && place > row->woken);
    campaign_key(key, row->number, place);
    bytes_put_u64_be(to, recipient->to);
    txn_put(engine->txn, TABLE_CAMPAIGN_ASLEEP, key, sizeof key, to, sizeof to);
    recipient->row.turn = CAMPAIGN_ASLEEP;
    recipient->row.message = place;
    campaign_recipient_store(engine, row->number, recipient);
    row->asleep++;
}

void campaign_sleep_end(struct engine *engine, struct campaign_row *row, uint64_t place)
{
    char key[CAMPAIGN_KEY_SIZE];
    bool was_there;

    campaign_key(key, row->number, place);
    was_there = txn_delete(engine->txn, TABLE_CAMPAIGN_ASLEEP, key, sizeof key);
    assert(was_there && row->asleep > 0 && place > row->woken);
    row->asleep--;
    row->woken = place;
}
