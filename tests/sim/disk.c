/* A second store, on disk, in step with the one in memory: the same commands must be answered the
 * same, and end in the same rows, byte by byte, whatever was checkpointed, closed, killed and
 * recovered between them. After a kill the plan is run again from its beginning; the memory's store
 * catches up alone to the commit that the disk has, and there the two are compared and go on. */
#include "disk.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "disk_history.h"
#include "disk_image.h"
#include "engine/audit.h"
#include "engine/due.h"
#include "episode.h"
#include "wrong.h"

enum { SEGMENT_BYTES = 256 << 10, SEGMENTS = 8, BATCHES_REMEMBERED = 256 };

struct mirror {
    struct mirror_options options;
    struct draw draw;
    struct store *store; /* NULL: not opened yet */
    struct txn *txn;
    struct cities cities;
    uint32_t opens_at, dies_at; /* commits; dies_at 0: never */
    /* The last commit that each batch has, by sequence. */
    uint32_t commit_of[BATCHES_REMEMBERED];
};

/* --- rows on disk --------------------------------------------------------------------------------
 */

struct reading {
    struct world *world; /* NULL: only `step` is wanted */
    uint32_t step, rows;
    struct audit audit;
};

static int on_disk_row(void *context, enum table table, const void *key, size_t key_size,
                       const void *value, size_t value_size)
{
    struct reading *reading = context;
    size_t size;
    const void *wanted;

    if (table == TABLE_META && key_size == strlen(WORLD_STEP_NAME) &&
        memcmp(key, WORLD_STEP_NAME, key_size) == 0)
        memcpy(&reading->step, value, sizeof reading->step);
    audit_row(&reading->audit, table, key, key_size, value, value_size);
    if (reading->world == NULL)
        return 0;
    reading->rows++;
    wanted = txn_get(reading->world->txn, table, key, key_size, &size);
    if (wanted == NULL)
        wrong("disk: there is a row of %s too many", table_infos[table].name);
    if (size != value_size || (size > 0 && memcmp(wanted, value, size) != 0))
        wrong("disk: a row of %s is not what it is in memory", table_infos[table].name);
    return 0;
}

static int on_disk_record(void *context, uint64_t number, const void *value, size_t value_size,
                          bool is_row, uint64_t *to, uint64_t *company)
{
    struct reading *reading = context;

    return audit_history_record(&reading->audit, number, value, value_size, is_row, to, company)
               ? 0
               : ERR_DAMAGED;
}

static void count_row(void *context, enum table table, const void *key, size_t key_size,
                      const void *value, size_t value_size)
{
    uint32_t *rows = context;

    (void)table, (void)key, (void)key_size, (void)value, (void)value_size;
    ++*rows;
}

static void read_disk(const char *data_dir, struct reading *reading, const char *when)
{
    struct buffer summary, why;
    int error;

    audit_init(&reading->audit, true);
    buffer_init(&summary);
    buffer_init(&why);
    audit_history(&reading->audit);
    error = store_verify_all(data_dir, &summary, &why,
                             &(struct store_verify){.on_row = on_disk_row,
                                                    .on_record = on_disk_record,
                                                    .live = TABLE_MESSAGE,
                                                    .context = reading});
    if (error != 0)
        wrong("disk: %s verify says %.*s", when, (int)why.size, why.data);
    if (!audit_finish(&reading->audit))
        wrong("disk: %s the audit says %s", when, reading->audit.fault);
    buffer_release(&summary);
    buffer_release(&why);
}

/* While nobody has it open: what verify reads is exactly what is in memory. */
static void compare_closed(const struct mirror *mirror, struct episode *episode)
{
    static struct reading reading;
    uint32_t rows = 0;

    reading = (struct reading){.world = &episode->world};
    world_begin(&episode->world);
    read_disk(mirror->options.data_dir, &reading, "closed");
    world_rows(&episode->world, count_row, &rows);
    world_abort(&episode->world);
    if (rows != reading.rows)
        wrong("disk: there are %u rows, and must be %u", reading.rows, rows);
}

static void compare_open_row(void *context, enum table table, const void *key, size_t key_size,
                             const void *value, size_t value_size)
{
    struct mirror *mirror = context;
    size_t size;
    const void *found = txn_get(mirror->txn, table, key, key_size, &size);

    if (found == NULL || size != value_size || (size > 0 && memcmp(found, value, size) != 0))
        wrong("disk: a row of %s is served, and is not what it is in memory",
              table_infos[table].name);
}

/* As it is served: through both generations and LMDB. */
static void compare_open(struct mirror *mirror, struct episode *episode)
{
    struct engine_state state;

    mirror->txn = store_begin(mirror->store);
    world_begin(&episode->world);
    world_rows(&episode->world, compare_open_row, mirror);
    disk_history_compare(store_history(mirror->store), &episode->archive, episode->world.txn);
    world_abort(&episode->world);
    engine_state_load(mirror->txn, &state);
    must(state.number_last == episode->world.number_last && state.is_bootstrapped);
    must(state.clock_offset_ms == episode->model->clock_offset_ms);
    store_abort(mirror->txn);
    mirror->txn = NULL;
}

/* Both walks meet the same keys in the same order. */
static void compare_walk(struct txn *disk, struct txn *memory, enum table table,
                         enum walk_direction direction)
{
    struct txn_walk *a = txn_walk(disk, table, direction, NULL, 0);
    struct txn_walk *b = txn_walk(memory, table, direction, NULL, 0);

    while (txn_walk_next(b)) {
        must(txn_walk_next(a) && a->key_size == b->key_size && a->value_size == b->value_size);
        must(memcmp(a->key, b->key, a->key_size) == 0);
        must(a->value_size == 0 || memcmp(a->value, b->value, a->value_size) == 0);
    }
    must(!txn_walk_next(a));
    txn_walk_end(a);
    txn_walk_end(b);
}

static void compare_walks(struct mirror *mirror, struct episode *episode)
{
    static const enum table tables[] = {
        TABLE_DUE,    TABLE_ENTRY_MARK,  TABLE_WEBHOOK,      TABLE_ACCOUNT_NUMBER,
        TABLE_PACKET, TABLE_PACKET_SENT, TABLE_PACKET_GROUP, TABLE_PACKET_UNFINISHED,
        TABLE_GRAB,   TABLE_EXCEPTION};
    enum table table = tables[draw_below(&mirror->draw, sizeof tables / sizeof *tables)];

    mirror->txn = store_begin(mirror->store);
    world_begin(&episode->world);
    compare_walk(mirror->txn, episode->world.txn, table,
                 draw_chance(&mirror->draw, 2) ? WALK_UP : WALK_DOWN);
    world_abort(&episode->world);
    store_abort(mirror->txn);
    mirror->txn = NULL;
}

/* --- opening and closing -------------------------------------------------------------------------
 */

static void open_store(struct mirror *mirror)
{
    struct store_options options = {.data_dir = mirror->options.data_dir,
                                    .overlay_bytes_max = 1 << 20,
                                    .journal_bytes_max = SEGMENTS * SEGMENT_BYTES,
                                    .journal_segment_bytes = SEGMENT_BYTES,
                                    .checkpoint_interval_ms = 1 + draw_below(&mirror->draw, 40),
                                    .map_bytes_max = (size_t)1 << 30};
    struct buffer why;

    buffer_init(&why);
    if (store_open(&mirror->store, &options, &why) != 0)
        wrong("disk: cannot open: %.*s", (int)why.size, why.data);
    buffer_release(&why);
    mirror->txn = store_begin(mirror->store);
    cities_load(&mirror->cities, mirror->txn); /* CITY-7: nothing but files has survived */
    store_abort(mirror->txn);
    mirror->txn = NULL;
}

/* At a commit that the memory's store has, too. */
static void open_again(struct mirror *mirror, struct episode *episode)
{
    struct cities *cities = &mirror->cities;
    bool is_read;

    compare_closed(mirror, episode);
    open_store(mirror);
    compare_open(mirror, episode);
    mirror->txn = store_begin(mirror->store);
    is_read = disk_image_read(mirror->options.data_dir, cities, mirror->txn, episode->world.now_ms,
                              (uint32_t)draw_next(&mirror->draw));
    store_abort(mirror->txn);
    mirror->txn = NULL;
    world_begin(&episode->world);
    if (is_read)
        images_compare(episode->model, cities, &episode->world);
    world_abort(&episode->world);
}

struct mirror *mirror_new(const struct mirror_options *options)
{
    static struct reading reading;
    struct mirror *mirror = calloc(1, sizeof *mirror);

    assert(mirror != NULL);
    log_open(NULL, LOG_WARNING);
    mirror->options = *options;
    cities_init(&mirror->cities);
    draw_init(&mirror->draw, options->seed, options->begun);
    if (access(options->data_dir, F_OK) == 0 && options->begun > 0) {
        reading = (struct reading){.step = 0};
        read_disk(options->data_dir, &reading, "after a kill");
        mirror->opens_at = reading.step;
    }
    if (mirror->opens_at < options->durable || mirror->opens_at > options->begun)
        wrong("disk: commit %u is the last one there; %u to %u could be", mirror->opens_at,
              options->durable, options->begun);
    if (options->lives_for > 0)
        mirror->dies_at = mirror->opens_at + options->lives_for;
    if (mirror->opens_at == 0)
        open_store(mirror);
    return mirror;
}

void mirror_free(struct mirror *mirror)
{
    assert(mirror->store == NULL);
    cities_release(&mirror->cities);
    free(mirror);
}

static void reopen(struct mirror *mirror, struct episode *episode)
{
    store_close(mirror->store, draw_chance(&mirror->draw, 2));
    where->durable = where->commits;
    memset(mirror->commit_of, 0, sizeof mirror->commit_of);
    open_again(mirror, episode);
}

void mirror_end(struct mirror *mirror, struct episode *episode)
{
    must(mirror->store != NULL); /* else the disk has more commits than the plan makes */
    store_close(mirror->store, draw_chance(&mirror->draw, 2));
    mirror->store = NULL;
    compare_closed(mirror, episode);
}

/* --- in step -------------------------------------------------------------------------------------
 */

void mirror_begin(struct mirror *mirror)
{
    if (mirror->store == NULL)
        return;
    while (store_admits(mirror->store) != STORE_ADMITS) {
        store_submit(mirror->store);
        store_tick(mirror->store, clock_monotonic_ns());
        usleep(50);
    }
    mirror->txn = store_begin(mirror->store);
}

void mirror_run(struct mirror *mirror, const struct command *asked, const struct result *wanted,
                const struct engine_effect *effect, bool is_tried)
{
    struct engine_effect found_effect;
    struct command own = *asked;
    const struct command *command = &own;
    struct result found;

    if (mirror->store == NULL)
        return;
    if (own.type == COMMAND_SIGNALS)
        own.of.signals.index = &mirror->cities.index;
    if (is_tried) {
        size_t savepoint = txn_savepoint(mirror->txn);
        engine_apply(mirror->txn, command, &found, &found_effect);
        txn_rollback(mirror->txn, savepoint);
    }
    memset(&found, 0, sizeof found);
    engine_apply(mirror->txn, command, &found, &found_effect);
    must(memcmp(&found, wanted, sizeof found) == 0);
    must(found_effect.number_last == effect->number_last);
    must(found_effect.due_first_ms == effect->due_first_ms);
    cities_follow(&mirror->cities, mirror->txn, command, &found, &found_effect);
}

static void note_durable(struct mirror *mirror)
{
    uint32_t commit = mirror->commit_of[store_durable(mirror->store) % BATCHES_REMEMBERED];

    if (commit > where->durable)
        where->durable = commit;
}

/* What the loop does between commands, at the draw's whim. */
static void turn(struct mirror *mirror, struct episode *episode)
{
    mirror->commit_of[store_visible(mirror->store) % BATCHES_REMEMBERED] = where->commits;
    if (draw_chance(&mirror->draw, 4))
        store_submit(mirror->store);
    if (draw_chance(&mirror->draw, 64))
        store_request_checkpoint(mirror->store);
    if (draw_chance(&mirror->draw, 4))
        store_tick(mirror->store, clock_monotonic_ns());
    if (draw_chance(&mirror->draw, 128))
        store_flush(mirror->store);
    note_durable(mirror);
    if (draw_chance(&mirror->draw, 64))
        compare_walks(mirror, episode);
    if (draw_chance(&mirror->draw, 256))
        compare_open(mirror, episode);
    if (draw_chance(&mirror->draw, 32))
        cities_build_whole(&mirror->cities, &episode->world);
    if (draw_chance(&mirror->draw, 512))
        reopen(mirror, episode);
    if (where->commits == mirror->dies_at)
        raise(SIGKILL);
}

void mirror_commit(struct mirror *mirror, struct episode *episode)
{
    if (mirror->store == NULL) {
        if (where->commits == mirror->opens_at)
            open_again(mirror, episode);
        return;
    }
    world_note(mirror->txn, episode->world.number_last, where->commits);
    store_commit(mirror->txn);
    mirror->txn = NULL;
    turn(mirror, episode);
}

/* What has finished is durable long before it goes. */
void mirror_keep(struct mirror *mirror, struct archive *archive)
{
    if (mirror->store == NULL || archive->chunk_count == 0)
        return;
    store_flush(mirror->store);
    note_durable(mirror);
    disk_history_keep(store_history(mirror->store), archive);
}

/* Only when its sums are kept. */
void mirror_drop(struct mirror *mirror, uint32_t day)
{
    if (mirror->store == NULL)
        return;
    store_flush(mirror->store);
    note_durable(mirror);
    disk_history_drop(store_history(mirror->store), day);
}

/* What the one before has done is durable by then, as the job sees to. It dies only further on than
 * in the life before: else it would come to the same end again. */
void mirror_image(struct mirror *mirror, const struct sim_image *image, uint64_t kept)
{
    bool dies = mirror->dies_at != 0 && where->commits > mirror->options.begun &&
                draw_chance(&mirror->draw, 4);

    if (mirror->store == NULL)
        return;
    store_flush(mirror->store);
    note_durable(mirror);
    disk_image_write(mirror->options.data_dir, image, kept, dies);
}

void mirror_abort(struct mirror *mirror)
{
    if (mirror->store == NULL)
        return;
    store_abort(mirror->txn);
    mirror->txn = NULL;
}
