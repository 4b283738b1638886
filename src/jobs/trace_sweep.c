/* Deletes what nobody asks for any more: traces older than thirty days, and what groups of cities
 * have sent, once no window reaches back to it (CITY-8, CITY-10). Nothing depends on when. */
#include <string.h>

#include "engine/city.h"
#include "jobs/sweep.h"

enum {
    FOUND_BYTES_MAX = 64 << 20,
    SLICE_KEYS = 256,
    GROUP_SIZE_MAX = UINT8_MAX,
};

/* What is noted of each: size of the group (u8), group, mobile (u64). */
static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct sweep *sweep = context;
    char noted[1 + GROUP_SIZE_MAX + sizeof(uint64_t)];
    struct welcome_key expired;
    size_t size;

    if (!welcome_row_is_expired(table, key, key_size, value, value_size, sweep->now_ms, &expired))
        return SWEEP_ON;
    size = expired.group.size;
    noted[0] = (char)size;
    if (size > 0)
        memcpy(noted + 1, expired.group.data, size);
    memcpy(noted + 1 + size, &expired.mobile, sizeof expired.mobile);
    sweep_note(sweep, noted, 1 + size + sizeof expired.mobile);
    return SWEEP_ON;
}

static size_t read_key(const char *noted, struct welcome_key *key)
{
    size_t size = (unsigned char)*noted;

    key->group = (struct text){noted + 1, size};
    memcpy(&key->mobile, noted + 1 + size, sizeof key->mobile);
    return 1 + size + sizeof key->mobile;
}

static size_t delete_slice(struct sweep *sweep, const char *found, size_t size)
{
    struct command command = {.type = COMMAND_WELCOME_EXPIRE};
    struct welcome_key keys[SLICE_KEYS];
    size_t count = 0, taken = 0;
    struct result result;

    while (count < SLICE_KEYS && taken < size)
        taken += read_key(found + taken, &keys[count++]);
    command.of.welcome_expire = (struct welcome_expire_command){keys, count};
    pipeline_run(sweep->job->pipeline, &command, &result);
    if (result.outcome != OUTCOME_OK)
        return 0;
    sweep->done += count;
    return taken;
}

void job_trace_sweep(struct job *job)
{
    static const enum table tables[] = {TABLE_TRACE, TABLE_GROUP_WELCOME};
    static const struct sweep_kind kind = {.tables = tables,
                                           .table_count = 2,
                                           .found_bytes_max = FOUND_BYTES_MAX,
                                           .on_row = on_row,
                                           .do_slice = delete_slice};

    sweep_begin(job, &kind, NULL);
}
