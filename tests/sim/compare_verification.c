/* Rows of verifications against the model's lists. What a row still holds of times that are over,
 * because nothing has changed it since, is of no meaning. */
#include <string.h>

#include "base/bytes.h"
#include "compare.h"
#include "engine/verification.h"
#include "wrong.h"

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS, MINUTES_SEEN = 61 };

static void compare_it(struct model *model, uint64_t number, const void *value, size_t size)
{
    const struct model_verification *it = model_find_verification(model, number);
    struct verification_row row;

    must(size == sizeof row);
    memcpy(&row, value, size);
    must(it != NULL && it->is_there && row.number == number);
    must(row.status == it->status && row.wrong == it->wrong);
    must(row.to == it->to && row.company == it->company && row.due_ms == it->due_ms);
    must(row.created_ms == it->created_ms && row.expires_ms == it->expires_ms);
    must(row.ended_ms == it->ended_ms && row.message == it->message);
    must(((row.flags & VERIFICATION_IS_BACK) != 0) == it->is_back);
    must(row.prefix == it->prefix && row.address == it->address);
}

/* The newest one, and the wrong checks of a day. */
static void compare_number(struct model *model, const char *key, const char *value, size_t size,
                           int64_t now_ms)
{
    uint64_t to = bytes_get_u64_be(key), company = bytes_get_u64_be(key + 8);
    const struct model_verification *it = model_newest_verification(model, to, company);
    struct verification_number_row row;
    int64_t at_ms = 0;
    uint32_t next = 0;

    memcpy(&row, value, sizeof row);
    must(size == sizeof row + row.wrong_count * sizeof at_ms);
    must(it != NULL && it->number == row.current);
    for (uint32_t i = 0; i < model->wrong_checks; i++) {
        const struct model_wrong_check *check = &model->wrong_check[i];
        if (check->to != to || check->company != company || check->at_ms + DAY_MS <= now_ms)
            continue;
        do {
            must(next < row.wrong_count);
            memcpy(&at_ms, value + sizeof row + next++ * sizeof at_ms, sizeof at_ms);
        } while (at_ms + DAY_MS <= now_ms);
        must(at_ms == check->at_ms);
    }
    for (; next < row.wrong_count; next++) {
        memcpy(&at_ms, value + sizeof row + next * sizeof at_ms, sizeof at_ms);
        must(at_ms + DAY_MS <= now_ms);
    }
}

static void compare_to(const struct model *model, uint64_t to, const char *value, size_t size,
                       int64_t now_ms)
{
    struct verification_to_row row;
    int64_t at_ms = 0;
    uint32_t next = 0;

    memcpy(&row, value, sizeof row);
    must(size == sizeof row + row.count * sizeof at_ms && row.count > 0);
    for (uint32_t i = 0; i < model->verifications; i++) {
        const struct model_verification *it = &model->verification[i];
        if (it->status == VERIFICATION_NONE || it->to != to || it->is_back ||
            it->created_ms + DAY_MS <= now_ms)
            continue;
        do {
            must(next < row.count);
            memcpy(&at_ms, value + sizeof row + next++ * sizeof at_ms, sizeof at_ms);
        } while (at_ms + DAY_MS <= now_ms);
        must(at_ms == it->created_ms);
    }
    for (; next < row.count; next++) {
        memcpy(&at_ms, value + sizeof row + next * sizeof at_ms, sizeof at_ms);
        must(at_ms + DAY_MS <= now_ms);
    }
}

/* What the model has of one minute. */
static struct verification_minute minute_of(const struct model *model, int kind, uint64_t of,
                                            uint32_t minute)
{
    struct verification_minute sum = {.minute = minute};

    for (uint32_t i = 0; i < model->verifications; i++) {
        const struct model_verification *it = &model->verification[i];
        bool is_prefix = kind == VERIFICATION_RATE_PREFIX;
        if (it->status == VERIFICATION_NONE ||
            (is_prefix ? it->prefix != of : it->address_kind != kind || it->address != of))
            continue;
        sum.made += it->created_ms / MINUTE_MS == minute;
        if (!is_prefix || !it->is_counted || it->ended_ms / MINUTE_MS != minute)
            continue;
        sum.verified += it->status == VERIFICATION_VERIFIED;
        sum.unused += it->status != VERIFICATION_VERIFIED;
    }
    return sum;
}

static void compare_rate(const struct model *model, const char *key, const char *value, size_t size,
                         int64_t now_ms)
{
    uint64_t of = bytes_get_u64_be(key + 1);
    struct verification_rate_row row;
    int64_t alarmed_ms = 0;

    memcpy(&row, value, sizeof row);
    must(size == sizeof row + row.count * sizeof(struct verification_minute));
    must(row.count > 0 || row.alarmed_ms != 0);
    for (uint32_t i = 0; i < row.count; i++) {
        struct verification_minute minute, wanted;
        memcpy(&minute, value + sizeof row + i * sizeof minute, sizeof minute);
        wanted = minute_of(model, key[0], of, minute.minute);
        must(memcmp(&minute, &wanted, sizeof minute) == 0);
    }
    for (uint32_t i = 0; i < model->pumpings && key[0] == VERIFICATION_RATE_PREFIX; i++) {
        if (model->pumping[i].prefix == of && model->pumping[i].at_ms + HOUR_MS > now_ms)
            alarmed_ms = model->pumping[i].at_ms;
    }
    must((row.alarmed_ms + HOUR_MS > now_ms ? row.alarmed_ms : 0) == alarmed_ms);
}

void compare_verification_row(struct model *model, enum table table, const char *key,
                              const char *value, size_t size, int64_t now_ms)
{
    switch (table) {
    case TABLE_VERIFICATION:
        compare_it(model, bytes_get_u64_be(key), value, size);
        break;
    case TABLE_VERIFICATION_NUMBER:
        compare_number(model, key, value, size, now_ms);
        break;
    case TABLE_VERIFICATION_TO:
        compare_to(model, bytes_get_u64_be(key), value, size, now_ms);
        break;
    case TABLE_VERIFICATION_RATE:
        compare_rate(model, key, value, size, now_ms);
        break;
    default:
        break;
    }
}

/* Of what is counted nothing is missing: a row for each number, address and prefix that anything in
 * a window is of. */
static void compare_is_there(struct txn *txn, enum table table, const char *key, size_t size)
{
    size_t value_size;

    must(txn_get(txn, table, key, size, &value_size) != NULL);
}

static void compare_counted(struct txn *txn, const struct model_verification *it, int64_t now_ms)
{
    char key[16];

    bytes_put_u64_be(key, it->to);
    if (!it->is_back && it->created_ms + DAY_MS > now_ms)
        compare_is_there(txn, TABLE_VERIFICATION_TO, key, 8);
    if (it->created_ms / MINUTE_MS <= now_ms / MINUTE_MS - MINUTES_SEEN)
        return;
    key[0] = VERIFICATION_RATE_PREFIX;
    bytes_put_u64_be(key + 1, it->prefix);
    compare_is_there(txn, TABLE_VERIFICATION_RATE, key, 9);
    key[0] = (char)it->address_kind;
    bytes_put_u64_be(key + 1, it->address);
    if (it->address_kind != 0)
        compare_is_there(txn, TABLE_VERIFICATION_RATE, key, 9);
}

void compare_verifications(struct txn *txn, const struct model *model,
                           const uint32_t rows[TABLE_NUMBER_MAX + 1], int64_t now_ms)
{
    uint32_t there = 0, newest = 0;

    for (uint32_t i = 0; i < model->verifications; i++) {
        const struct model_verification *it = &model->verification[i];
        there += it->is_there;
        newest += it->is_there && !it->is_superseded;
        if (it->status != VERIFICATION_NONE)
            compare_counted(txn, it, now_ms);
    }
    must(rows[TABLE_VERIFICATION] == there && rows[TABLE_VERIFICATION_NUMBER] == newest);
    must(there > 0 || (rows[TABLE_VERIFICATION_TO] == 0 && rows[TABLE_VERIFICATION_RATE] == 0));
}
