/* The table of visits as bytes: its shards one behind the other in the order of what leads to them,
 * each with a head, its lines as they are. It is no checksum that is looked for here: who keeps an
 * image has one over all of it. But figures decide how much memory is asked for and where is
 * looked, so they are held against one another and against what there is. */
#include <assert.h>
#include <string.h>

#include "base/buffer.h"
#include "base/pages.h"
#include "engine/visit_shard.h"

struct shard_image {
    uint32_t depth, line_count, entries, zero;
};
static_assert(sizeof(struct shard_image) == 16, "stored layout");

#define END (UINT64_C(1) << VISIT_MOBILE_BITS)

bool visit_table_save_next(const struct visit_table *table, uint64_t *from, struct buffer *to)
{
    if (*from == END)
        return false;
    const struct visit_shard *shard = table->shards[*from >> (VISIT_MOBILE_BITS - table->depth)];
    struct shard_image head = {shard->depth, shard->line_count, shard->entries, 0};
    uint64_t reach = END >> shard->depth;

    assert(*from % reach == 0); /* shards only ever split */
    buffer_append(to, &head, sizeof head);
    buffer_append(to, shard->lines, (size_t)shard->line_count * VISIT_LINE_BYTES);
    *from += reach;
    return true;
}

/* The next head; false: it is not whole, or cannot be at that place. */
static bool read_head(const char *at, const char *end, uint64_t place, struct shard_image *head)
{
    if ((size_t)(end - at) < sizeof *head)
        return false;
    memcpy(head, at, sizeof *head);
    return head->depth <= VISIT_DEPTH_MAX && head->line_count >= VISIT_LINES_MIN &&
           head->line_count <= VISIT_LINES_MAX && place % (END >> head->depth) == 0 &&
           (size_t)(end - at) - sizeof *head >= (size_t)head->line_count * VISIT_LINE_BYTES;
}

/* The directory's depth; -1: the shards are not all there, one behind the other. */
static int depth_of(const char *at, const char *end)
{
    struct shard_image head;
    uint32_t depth = 0;

    for (uint64_t place = 0; place < END; place += END >> head.depth) {
        if (!read_head(at, end, place, &head))
            return -1;
        depth = head.depth > depth ? head.depth : depth;
        at += sizeof head + (size_t)head.line_count * VISIT_LINE_BYTES;
    }
    return (int)depth;
}

/* An empty one if its lines are not what its head says. */
static struct visit_shard *load_shard(const char *at, const struct shard_image *head,
                                      bool *is_damaged)
{
    struct visit_shard *shard = pages_new(sizeof *shard);

    visit_shard_init(shard, head->depth, head->line_count);
    memcpy(shard->lines, at, (size_t)head->line_count * VISIT_LINE_BYTES);
    shard->entries = head->entries;
    if (!visit_shard_is_sound(shard)) {
        *is_damaged = true;
        visit_shard_release(shard);
        visit_shard_init(shard, head->depth, head->line_count);
    }
    return shard;
}

static void make_directory(struct visit_table *table, uint32_t depth)
{
    uint32_t rounds[VISIT_ROUNDS];

    assert(table->count == 0 && table->depth == 0);
    memcpy(rounds, table->rounds, sizeof rounds);
    visit_table_release(table);
    memcpy(table->rounds, rounds, sizeof rounds);
    table->depth = depth;
    table->shards = pages_new(visit_directory_bytes(depth));
    table->bytes = visit_directory_bytes(depth);
}

const char *visit_table_load(struct visit_table *table, const char **at, const char *end)
{
    int depth = depth_of(*at, end);
    bool is_damaged = false;
    struct shard_image head;

    if (depth < 0)
        return "its visits are not whole";
    make_directory(table, (uint32_t)depth);
    for (size_t place = 0; place < (size_t)1 << depth;) {
        memcpy(&head, *at, sizeof head);
        struct visit_shard *shard = load_shard(*at + sizeof head, &head, &is_damaged);
        for (size_t left = (size_t)1 << ((uint32_t)depth - head.depth); left > 0; left--)
            table->shards[place++] = shard;
        table->count += shard->entries;
        table->bytes += sizeof *shard + visit_shard_bytes(shard);
        *at += sizeof head + (size_t)head.line_count * VISIT_LINE_BYTES;
    }
    return is_damaged ? "its visits are damaged" : NULL;
}
