/* Counters held against messages by sums of hashes, as in engine/audit.c: each message adds a token
 * of what it is counted under, each counter takes as many away as it says. By day, since of days
 * whose messages were dropped only counters are left. */
#include <string.h>

#include "base/hash.h"
#include "base/id.h"
#include "engine/message.h"
#include "engine/report.h"

/* Odd, so that what is multiplied by them stays told apart. */
#define PARTS_WEIGHT UINT64_C(0x9e3779b97f4a7c15)
#define MONEY_WEIGHT UINT64_C(0xbf58476d1ce4e5b9)

static const struct hash_key token_key = {0x736d736420617564, 0x697420636f756e74};

/* What one message of this status weighs under the key; status 0: the key alone. */
static uint64_t weight(const char key[REPORT_KEY_SIZE], uint8_t status)
{
    char bytes[REPORT_KEY_SIZE + 1];

    memcpy(bytes, key, REPORT_KEY_SIZE);
    bytes[REPORT_KEY_SIZE] = (char)status;
    return hash64(&token_key, bytes, sizeof bytes);
}

static void add(struct report_audit *audit, uint32_t day, uint64_t token)
{
    uint32_t first = (uint32_t)(ID_EPOCH_MS / REPORT_DAY_MS);

    if (day < first || day - first >= REPORT_AUDIT_DAYS)
        audit->has_stranger = true;
    else
        audit->differences[day - first] += token;
}

void report_audit_row(struct report_audit *audit, const void *key, size_t key_size,
                      const void *value, size_t value_size)
{
    struct report_key named;
    struct report_row row;
    uint64_t token, delivered = 0;

    if (!report_key_read(key, key_size, &named) || !report_row_read(value, value_size, &row)) {
        audit->has_stranger = true;
        return;
    }
    token = weight(key, 0) * MONEY_WEIGHT * (uint64_t)(row.charged - row.refunded);
    for (int status = 1; status <= REPORT_STATUSES; status++) {
        uint64_t messages = row.messages[status - 1], parts = row.parts[status - 1];
        if (messages != 0 || parts != 0)
            token += weight(key, (uint8_t)status) * (messages + parts * PARTS_WEIGHT);
    }
    add(audit, named.day, token);
    for (size_t i = 0; i < row.bucket_count; i++)
        delivered += row.buckets[i];
    audit->has_stranger |= delivered != row.messages[MESSAGE_DELIVERED - 1];
}

void report_audit_message(struct report_audit *audit, const struct message_row *row)
{
    struct report_key named = report_key_of(row, row->product);
    char key[REPORT_KEY_SIZE];
    uint64_t token;

    if (row->flags & MESSAGE_IS_TEST)
        return;
    report_key_put(key, &named);
    token = weight(key, 0) * MONEY_WEIGHT * (uint64_t)row->charged +
            weight(key, row->status) * (1 + row->parts * PARTS_WEIGHT);
    add(audit, named.day, -token);
}

bool report_audit_finish(const struct report_audit *audit, uint32_t *day)
{
    uint32_t first = (uint32_t)(ID_EPOCH_MS / REPORT_DAY_MS);

    for (uint32_t i = 0; i < REPORT_AUDIT_DAYS; i++) {
        *day = first + i;
        if (audit->differences[i] != 0 && *day >= audit->first_day)
            return false;
    }
    *day = 0;
    return !audit->has_stranger;
}
