/* The rows of cities and visits, and what changes cities (CITY-8). A city's index, a small number
 * given once and never again, is what visits are keyed by, so its code costs a visit nothing. All
 * visits are stored by visit_store, which the log of visits hangs on. */
#include "engine/city.h"

#include <assert.h>
#include <string.h>

#include "engine/city_message.h"
#include "engine/handler.h"
#include "engine/visit_log.h"

enum { CITY_ROW_VERSION = 1, VISIT_ROW_VERSION = 1, CITY_BYTES_MAX = 4096 };

static_assert(sizeof(struct city_row) + CITY_AREAS_MAX * sizeof(struct city_area_row) +
                      CITY_NAME_MAX + PACKET_GROUP_MAX + CITY_LABELS_MAX * (1 + CITY_LABEL_MAX) <=
                  CITY_BYTES_MAX,
              "a city fits its row");

/* --- cities --------------------------------------------------------------------------------------
 */

void city_view_of(const void *value, size_t size, struct city_view *view)
{
    const char *at = value;

    assert(size >= sizeof view->row);
    memcpy(&view->row, at, sizeof view->row);
    assert(view->row.version == CITY_ROW_VERSION);
    view->areas = at + sizeof view->row;
    view->name = (struct text){view->areas + view->row.area_count * sizeof(struct city_area_row),
                               view->row.name_size};
    view->group = (struct text){view->name.data + view->name.size, view->row.group_size};
    view->labels.data = view->group.data + view->group.size;
    view->labels.size = size - (size_t)(view->labels.data - at);
}

bool city_view_label(const struct city_view *view, size_t *at, struct text *label)
{
    if (*at == view->labels.size)
        return false;
    label->size = (unsigned char)view->labels.data[*at];
    label->data = view->labels.data + *at + 1;
    *at += 1 + label->size;
    return true;
}

static uint32_t count_cities(struct txn *txn)
{
    struct txn_walk *walk = txn_walk(txn, TABLE_CITY, WALK_UP, NULL, 0);
    uint32_t count = 0;

    while (txn_walk_next(walk))
        count++;
    txn_walk_end(walk);
    return count;
}

static size_t append(char *to, size_t at, const void *data, size_t size)
{
    if (size > 0)
        memcpy(to + at, data, size);
    return at + size;
}

static size_t write_city(char value[CITY_BYTES_MAX], const struct city_row *row,
                         const struct city_put_command *put)
{
    size_t size = append(value, 0, row, sizeof *row);

    size = append(value, size, put->areas, put->area_count * sizeof *put->areas);
    size = append(value, size, put->name.data, put->name.size);
    size = append(value, size, put->group.data, put->group.size);
    for (size_t i = 0; i < put->label_count; i++) {
        value[size++] = (char)put->labels[i].size;
        size = append(value, size, put->labels[i].data, put->labels[i].size);
    }
    return size;
}

/* Cities are never deleted, so the next index is their number. */
enum outcome engine_city_put(struct engine *engine, const struct city_put_command *command,
                             struct result *answer)
{
    struct message_fault faults[MESSAGE_FAULTS_MAX];
    size_t fault_count = city_message_check(engine->txn, command, faults);
    char value[CITY_BYTES_MAX];
    size_t size;
    const void *old =
        txn_get(engine->txn, TABLE_CITY, command->code.data, command->code.size, &size);
    struct city_row row = {.version = CITY_ROW_VERSION,
                           .basis = (uint8_t)command->basis,
                           .is_enabled = command->is_enabled,
                           .rollout_percent = command->rollout_percent,
                           .window_days = command->window_days,
                           .area_count = (uint16_t)command->area_count,
                           .name_size = (uint8_t)command->name.size,
                           .group_size = (uint8_t)command->group.size,
                           .label_count = (uint8_t)command->label_count,
                           .has_message = command->template.data != NULL,
                           .number = engine->command->number,
                           .capacity = command->capacity,
                           .misjudgement = command->misjudgement,
                           .updated_ms = engine->command->now_ms};

    if (fault_count > 0)
        return city_message_outcome(faults, fault_count);
    answer->of.city.is_new = old == NULL;
    if (old != NULL) {
        struct city_view view;
        city_view_of(old, size, &view);
        row.index = view.row.index;
        row.number = view.row.number;
    } else {
        row.index = count_cities(engine->txn);
        if (row.index >= CITY_COUNT_MAX)
            return OUTCOME_CONFLICT;
    }
    answer->of.city.index = row.index;
    txn_put(engine->txn, TABLE_CITY, command->code.data, command->code.size, value,
            write_city(value, &row, command));
    city_message_store(engine, row.index, command);
    return OUTCOME_OK;
}

/* --- visits --------------------------------------------------------------------------------------
 */

void visit_row_of(const void *value, size_t size, struct visit_row *row)
{
    assert(size == sizeof *row);
    memcpy(row, value, size);
    assert(row->version == VISIT_ROW_VERSION);
}

bool visit_find(struct txn *txn, uint32_t city, uint64_t mobile, struct visit_row *row)
{
    char key[VISIT_KEY_SIZE];
    size_t size;
    const void *value;

    visit_key_put(key, city, mobile);
    value = txn_get(txn, TABLE_VISIT, key, sizeof key, &size);
    if (value != NULL)
        visit_row_of(value, size, row);
    return value != NULL;
}

void visit_store(struct engine *engine, uint32_t city, uint64_t mobile, const struct visit_row *row)
{
    char key[VISIT_KEY_SIZE];

    visit_key_put(key, city, mobile);
    txn_put(engine->txn, TABLE_VISIT, key, sizeof key, row, sizeof *row);
    visit_log_note(engine, city, mobile, row->last_day);
}

bool visit_is_expired(const struct visit_row *row, uint32_t window_days, int64_t now_ms)
{
    int64_t window_s = (int64_t)window_days * (DAY_MS / 1000), now_s = now_ms / 1000;

    /* A signal may be a day late, and is then asked as of its own day. */
    return row->last_day + (int64_t)window_days + 1 < now_ms / DAY_MS &&
           row->sent_s + window_s + DAY_MS / 1000 < now_s &&
           row->decided_s + VISIT_GUARD_S + DAY_MS / 1000 < now_s;
}

enum outcome engine_visit_expire(struct engine *engine, const struct visit_expire_command *command,
                                 struct result *answer)
{
    (void)answer;
    for (size_t i = 0; i < command->count; i++) {
        char key[VISIT_KEY_SIZE];
        struct visit_row row;
        const struct visit_key *visit = &command->keys[i];
        if (!visit_find(engine->txn, visit->city, visit->mobile, &row) ||
            !visit_is_expired(&row, visit->window_days, engine->command->now_ms))
            continue;
        visit_key_put(key, visit->city, visit->mobile);
        txn_delete(engine->txn, TABLE_VISIT, key, sizeof key);
    }
    return OUTCOME_OK;
}
