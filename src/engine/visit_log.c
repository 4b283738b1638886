/* The log's rows, and the row that says which image is good. What is hard is to cut the log: what
 * lies before the beginning of an image goes when that image is there, in slices, and which slice
 * is next is remembered by who asks for it, since a walk over deleted rows is slow. */
#include "engine/visit_log.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/city_build.h"
#include "engine/handler.h"
#include "store/txn.h"

enum { LOG_ROW_VERSION = 1, IMAGE_ROW_VERSION = 1, FORGET_MAX = 256, NUMBER_SIZE = 8 };

static const char image_key[1] = {0};

static_assert(sizeof(struct visit_log_row) + SIGNALS_MAX * sizeof(struct visit_log_entry) <= 2048,
              "a command's visits fit a row, twice");

bool city_image_find(struct txn *txn, struct city_image_row *row)
{
    size_t size;
    const void *value = txn_get(txn, TABLE_CITY_IMAGE, image_key, sizeof image_key, &size);

    if (value == NULL)
        return false;
    assert(size == sizeof *row);
    memcpy(row, value, size);
    assert(row->version == IMAGE_ROW_VERSION);
    return true;
}

static void put_image(struct txn *txn, const struct city_image_row *row)
{
    txn_put(txn, TABLE_CITY_IMAGE, image_key, sizeof image_key, row, sizeof *row);
}

/* --- the log -------------------------------------------------------------------------------------
 */

static void append_row(struct engine *engine, const struct visit_log *log)
{
    char key[NUMBER_SIZE], value[VALUE_BYTES_MAX];
    const struct visit_log_row head = {.version = LOG_ROW_VERSION};
    size_t size, more = log->count * sizeof log->entries[0];

    bytes_put_u64_be(key, engine->command->number);
    const void *before = txn_get(engine->txn, TABLE_VISIT_LOG, key, sizeof key, &size);
    if (before == NULL)
        size = sizeof head;
    assert(size + more <= sizeof value);
    memcpy(value, before != NULL ? before : &head, size);
    memcpy(value + size, log->entries, more);
    txn_put(engine->txn, TABLE_VISIT_LOG, key, sizeof key, value, size + more);
}

static void put(struct engine *engine, const struct visit_log *log)
{
    struct city_image_row row;

    if (log->count == 0 || !city_image_find(engine->txn, &row))
        return;
    row.log_entries += log->count;
    if (row.log_entries > VISIT_LOG_ENTRIES_MAX) {
        txn_delete(engine->txn, TABLE_CITY_IMAGE, image_key, sizeof image_key);
        return;
    }
    put_image(engine->txn, &row);
    append_row(engine, log);
}

void visit_log_note(struct engine *engine, uint32_t city, uint64_t mobile, int64_t day)
{
    uint64_t visit = mobile << VISIT_VALUE_BITS | city_memory_value(day);
    struct visit_log own, *log = engine->visit_log;

    if (log == NULL) {
        log = &own;
        log->count = 0;
    }
    if (log->count == SIGNALS_MAX) {
        put(engine, log);
        log->count = 0;
    }
    log->entries[log->count].city = city;
    memcpy(log->entries[log->count].visit, &visit, sizeof visit);
    log->count++;
    if (log == &own)
        put(engine, log);
}

void visit_log_begin(struct engine *engine, struct visit_log *log)
{
    assert(engine->visit_log == NULL);
    log->count = 0;
    engine->visit_log = log;
}

void visit_log_end(struct engine *engine)
{
    put(engine, engine->visit_log);
    engine->visit_log = NULL;
}

bool visit_log_next(const void *value, size_t size, size_t *at, struct visit_logged *logged)
{
    struct visit_log_entry entry;
    uint64_t visit;

    if (*at == 0) {
        assert(size >= sizeof(struct visit_log_row) && *(const uint8_t *)value == LOG_ROW_VERSION);
        *at = sizeof(struct visit_log_row);
    }
    if (*at == size)
        return false;
    assert(size - *at >= sizeof entry);
    memcpy(&entry, (const char *)value + *at, sizeof entry);
    memcpy(&visit, entry.visit, sizeof visit);
    *logged = (struct visit_logged){visit >> VISIT_VALUE_BITS, entry.city,
                                    (uint32_t)visit & VISIT_VALUE_MAX};
    *at += sizeof entry;
    return true;
}

/* --- images --------------------------------------------------------------------------------------
 */

/* The log goes on from the image before, or begins. */
static enum outcome begin(struct engine *engine)
{
    struct city_image_row row;

    if (!city_image_find(engine->txn, &row))
        row = (struct city_image_row){.version = IMAGE_ROW_VERSION,
                                      .log_from = engine->command->number};
    row.begun = engine->command->number;
    row.begun_entries = row.log_entries;
    put_image(engine->txn, &row);
    return OUTCOME_OK;
}

static enum outcome done(struct engine *engine, const struct city_image_command *command)
{
    struct city_image_row row;

    if (!city_image_find(engine->txn, &row) || row.begun != command->image)
        return OUTCOME_CONFLICT; /* the log has ended meanwhile */
    row.image = row.log_from = row.begun;
    row.bytes = command->bytes;
    row.crc = command->crc;
    row.log_entries -= row.begun_entries;
    row.begun = row.begun_entries = 0;
    put_image(engine->txn, &row);
    return OUTCOME_OK;
}

static enum outcome forget(struct engine *engine, const struct city_image_command *command,
                           struct city_image_result *answer)
{
    struct city_image_row row = {.log_from = UINT64_MAX};
    uint64_t numbers[FORGET_MAX];
    size_t count = 0;
    char key[NUMBER_SIZE];

    city_image_find(engine->txn, &row);
    bytes_put_u64_be(key, command->image);
    struct txn_walk *walk = txn_walk(engine->txn, TABLE_VISIT_LOG, WALK_UP, key, sizeof key);
    while (count < FORGET_MAX && txn_walk_next(walk)) {
        numbers[count] = bytes_get_u64_be(walk->key);
        if (numbers[count] > row.log_from)
            break;
        count++;
    }
    txn_walk_end(walk);
    for (size_t i = 0; i < count; i++) {
        bytes_put_u64_be(key, numbers[i]);
        txn_delete(engine->txn, TABLE_VISIT_LOG, key, sizeof key);
    }
    answer->next = count == FORGET_MAX ? numbers[count - 1] + 1 : 0;
    return OUTCOME_OK;
}

enum outcome engine_city_image(struct engine *engine, const struct city_image_command *command,
                               struct result *answer)
{
    answer->of.city_image.next = 0;
    switch (command->step) {
    case CITY_IMAGE_BEGIN:
        return begin(engine);
    case CITY_IMAGE_DONE:
        return done(engine, command);
    case CITY_IMAGE_FORGET:
        return forget(engine, command, &answer->of.city_image);
    }
    assert(!"a step that command.h does not name");
    return OUTCOME_INTERNAL;
}
