/* Lines in an array in order, found by halving. A page has 500 lines at the most, so moving them
 * costs less than what is counted would take as a tree. */
#include "api/report_groups.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

bool report_by_parse(struct text text, unsigned *by)
{
    static const struct text words[] = {{"day", 3},     {"company", 7}, {"product", 7},
                                        {"country", 7}, {"kind", 4},    {"status", 6}};
    const char *at = text.data, *end = text.data + text.size;

    *by = 0;
    for (;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        struct text word = {at, (size_t)((comma == NULL ? end : comma) - at)};
        unsigned i = 0;
        while (i < sizeof words / sizeof *words && !text_equals(word, words[i]))
            i++;
        if (i == sizeof words / sizeof *words || (*by >> i & 1) != 0)
            return false;
        *by |= 1U << i;
        if (comma == NULL)
            return true;
        at = comma + 1;
    }
}

void report_groups_init(struct report_groups *groups, unsigned by, size_t limit)
{
    *groups = (struct report_groups){.by = by, .limit = limit};
    groups->items = malloc(limit * sizeof *groups->items);
    assert(limit > 0 && groups->items != NULL);
}

void report_groups_release(struct report_groups *groups)
{
    free(groups->items);
}

/* The day stands inverted, so that the newest sorts first. */
static void key_put(char to[REPORT_GROUP_KEY_SIZE], unsigned by, const struct report_key *key,
                    uint8_t status)
{
    struct report_key grouped = {.day = by & REPORT_BY_DAY ? ~key->day : 0,
                                 .company = by & REPORT_BY_COMPANY ? key->company : 0,
                                 .product = by & REPORT_BY_PRODUCT ? key->product : 0,
                                 .kind = by & REPORT_BY_KIND ? key->kind : 0};

    if (by & REPORT_BY_COUNTRY)
        memcpy(grouped.country, key->country, sizeof grouped.country);
    report_key_put(to, &grouped);
    to[REPORT_KEY_SIZE] = (char)status;
}

void report_group_key_read(const char key[REPORT_GROUP_KEY_SIZE], struct report_key *to,
                           uint8_t *status)
{
    report_key_read(key, REPORT_KEY_SIZE, to);
    to->day = ~to->day;
    *status = (uint8_t)key[REPORT_KEY_SIZE];
}

/* The first line that does not come before the key. */
static size_t place_of(const struct report_groups *groups, const char *key)
{
    size_t low = 0, high = groups->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memcmp(groups->items[middle].key, key, REPORT_GROUP_KEY_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* NULL: it is not of this page. */
static struct report_group *group_of(struct report_groups *groups, const char *key)
{
    size_t place = place_of(groups, key);
    struct report_group *group = &groups->items[place];

    if (groups->has_after && memcmp(key, groups->after, REPORT_GROUP_KEY_SIZE) <= 0)
        return NULL;
    if (place < groups->count && memcmp(group->key, key, REPORT_GROUP_KEY_SIZE) == 0)
        return group;
    groups->has_more |= groups->count == groups->limit;
    if (place == groups->limit)
        return NULL;
    groups->count += groups->count < groups->limit;
    memmove(group + 1, group, (groups->count - place - 1) * sizeof *group);
    memset(group, 0, sizeof *group);
    memcpy(group->key, key, REPORT_GROUP_KEY_SIZE);
    return group;
}

static void add_status(struct report_groups *groups, const struct report_key *key,
                       const struct report_row *row, uint8_t status)
{
    char bytes[REPORT_GROUP_KEY_SIZE];
    struct report_group *group;

    key_put(bytes, groups->by, key, status);
    group = group_of(groups, bytes);
    if (group == NULL)
        return;
    group->messages[status - 1] += row->messages[status - 1];
    group->parts[status - 1] += row->parts[status - 1];
}

static void add_all(struct report_groups *groups, const struct report_key *key,
                    const struct report_row *row)
{
    char bytes[REPORT_GROUP_KEY_SIZE];
    struct report_group *group;

    key_put(bytes, groups->by, key, 0);
    group = group_of(groups, bytes);
    if (group == NULL)
        return;
    for (size_t i = 0; i < REPORT_STATUSES; i++) {
        group->messages[i] += row->messages[i];
        group->parts[i] += row->parts[i];
    }
    group->charged += row->charged;
    group->refunded += row->refunded;
    for (size_t i = 0; i < row->bucket_count; i++)
        group->buckets[i] += row->buckets[i];
}

void report_groups_add(struct report_groups *groups, const struct report_key *key,
                       const struct report_row *row)
{
    uint64_t messages = 0;

    for (int status = 1; status <= REPORT_STATUSES; status++) {
        messages += row->messages[status - 1];
        if ((groups->by & REPORT_BY_STATUS) && row->messages[status - 1] > 0)
            add_status(groups, key, row, (uint8_t)status);
    }
    /* All of them may have gone on by another product. */
    if (!(groups->by & REPORT_BY_STATUS) && messages > 0)
        add_all(groups, key, row);
}

bool report_groups_are_done(const struct report_groups *groups, uint32_t day)
{
    struct report_key last;
    uint8_t status;

    if (!(groups->by & REPORT_BY_DAY) || !groups->has_more)
        return false;
    report_group_key_read(groups->items[groups->count - 1].key, &last, &status);
    return day < last.day;
}
