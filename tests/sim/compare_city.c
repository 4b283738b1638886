/* Rows of cities, visits and traces against the model; what a command about them is answered with;
 * and the memory that the engine asks instead of rows, which may know less than they say, but
 * nothing else (CITY-3, CITY-7). */
#include <string.h>

#include "base/bytes.h"
#include "cities.h"
#include "compare.h"
#include "engine/city_index.h"
#include "engine/city_message.h"
#include "wrong.h"

/* --- rows ----------------------------------------------------------------------------------------
 */

static void compare_city_row_alone(const struct model_cities *cities, struct text code,
                                   const void *value, size_t size)
{
    uint32_t index = model_city_find(cities, code);
    const struct model_city *city = &cities->city[index == CITY_NONE ? 0 : index];
    const struct city_put_command *put = &city->put;
    struct city_view view;
    struct text label;
    size_t at = 0, count = 0;

    must(index != CITY_NONE);
    city_view_of(value, size, &view);
    must(view.row.index == index && view.row.number == city->number);
    must(view.row.basis == put->basis && view.row.is_enabled == put->is_enabled);
    must(view.row.rollout_percent == put->rollout_percent);
    must(view.row.window_days == put->window_days && view.row.capacity == put->capacity);
    must(view.row.misjudgement == put->misjudgement && view.row.updated_ms == city->updated_ms);
    must(text_equals(view.name, put->name) && text_equals(view.group, put->group));
    must(view.row.area_count == put->area_count);
    must(put->area_count == 0 ||
         memcmp(view.areas, put->areas, put->area_count * sizeof *put->areas) == 0);
    while (city_view_label(&view, &at, &label)) {
        must(count < put->label_count && text_equals(label, put->labels[count]));
        count++;
    }
    must(count == put->label_count);
    must(view.row.has_message == (put->template.data != NULL));
}

static void compare_city_message(struct txn *txn, const struct model_cities *cities, uint32_t index)
{
    const struct city_put_command *put = &cities->city[index].put;
    static struct city_message message;

    must(city_message_find(txn, index, &message) == (put->template.data != NULL));
    if (put->template.data == NULL)
        return;
    must(text_equals(message.company, put->company));
    must(text_equals(message.template, put->template) && message.param_count == put->param_count);
    for (size_t i = 0; i < put->param_count; i++) {
        must(text_equals(message.params[i].name, put->params[i].name));
        must(text_equals(message.params[i].value, put->params[i].value));
    }
}

static void compare_welcome_row(const struct model_welcome *welcome, const void *value, size_t size)
{
    struct group_welcome_row row;

    must(welcome->is_there && size == sizeof row);
    memcpy(&row, value, size);
    must(row.city == welcome->city && row.window_days == welcome->window_days);
    must(row.sent_s == welcome->sent_s && row.message == welcome->message);
}

static void compare_visit_row(const struct model_visit *visit, const void *value, size_t size)
{
    struct visit_row row;

    must(visit->is_there);
    visit_row_of(value, size, &row);
    must(row.last_day == visit->last_day && row.last_s == visit->last_s);
    must(row.first_s == visit->first_s);
    must(row.decided_s == visit->decided_s && row.decision == visit->decision);
    must(row.sent_s == visit->sent_s && row.message == visit->message && row.zero == 0);
}

static void compare_trace_row(const struct model_cities *cities, int mobile, const void *value,
                              size_t size)
{
    const struct model_decision *list = cities->decision[mobile];
    struct trace_row row;

    must(size <= sizeof row);
    memcpy(&row, value, size);
    must(row.count == cities->decisions[mobile]);
    must(size == offsetof(struct trace_row, items) + row.count * sizeof row.items[0]);
    for (uint32_t i = 0; i < row.count; i++) {
        const struct trace_item *item = &row.items[i];
        must(item->at_ms == list[i].at_ms && item->decided_ms == list[i].decided_ms);
        must(item->city == list[i].city && item->decision == list[i].decision);
        must(item->message == list[i].message && item->outcome == list[i].outcome);
        must(item->status == list[i].status);
    }
}

void compare_city_row(struct model *model, enum table table, const char *key, size_t key_size,
                      const void *value, size_t value_size)
{
    struct model_cities *cities = &model->cities;
    uint64_t city;
    int mobile;

    if (table == TABLE_CITY) {
        compare_city_row_alone(cities, (struct text){key, key_size}, value, value_size);
        return;
    }
    if (table == TABLE_CITY_MESSAGE) /* compare_cities */
        return;
    mobile = model_mobile_of(bytes_get_u64_be(key + key_size - 8));
    must(mobile >= 0);
    if (table == TABLE_GROUP_WELCOME) {
        must(key_size - 8 < MODEL_GROUPS);
        compare_welcome_row(&cities->welcome[key_size - 8][mobile], value, value_size);
        return;
    }
    must(key_size == (table == TABLE_VISIT ? VISIT_KEY_SIZE : 8));
    if (table == TABLE_TRACE) {
        compare_trace_row(cities, mobile, value, value_size);
        return;
    }
    city = bytes_get_u64_be(key) >> 32;
    must(city < cities->count);
    compare_visit_row(&cities->visit[city][mobile], value, value_size);
}

/* --- what there is, whether the engine touched it or not -----------------------------------------
 */

static void compare_found(struct txn *txn, struct model *model, enum table table, const void *key,
                          size_t key_size, bool is_wanted)
{
    size_t size;
    const void *value = txn_get(txn, table, key, key_size, &size);

    if ((value != NULL) != is_wanted)
        wrong("a row of %s %s there", table_infos[table].name,
              is_wanted ? "must be" : "must not be");
    if (value != NULL)
        compare_city_row(model, table, key, key_size, value, size);
}

static void compare_visit(struct txn *txn, struct model *model, uint32_t city, int mobile)
{
    char key[VISIT_KEY_SIZE];

    visit_key_put(key, city, model_mobiles[mobile]);
    compare_found(txn, model, TABLE_VISIT, key, sizeof key,
                  model->cities.visit[city][mobile].is_there);
    compare_found(txn, model, TABLE_TRACE, key + 4, 8, model->cities.decisions[mobile] > 0);
}

/* After a build or none, with visits that expired or not. */
static void compare_known(const struct city *city, const struct model_visit *visit, int mobile,
                          int64_t now_ms)
{
    bool matters =
        visit->is_there && model_visit_matters(visit, city->view.row.window_days, now_ms);
    int64_t today = now_ms / DAY_MS;

    for (int64_t day = today - 1; day <= today; day++) {
        switch (city_known(city, model_mobiles[mobile], day)) {
        case VISIT_IS_NEW:
            if (matters)
                wrong("memory does not know of a visit");
            break;
        case VISIT_SEEN:
            must(visit->is_there && visit->last_day >= day);
            break;
        case VISIT_SEEN_BEFORE:
            must(!visit->is_there || visit->last_day < day);
            break;
        case VISIT_UNKNOWN:
            break; /* which is always right */
        }
    }
}

void compare_cities(struct model *model, const struct cities *read, struct txn *txn, int64_t now_ms)
{
    const struct model_cities *cities = &model->cities;
    const struct city_index *index = &read->index;

    must(index->count == cities->count);
    for (uint32_t i = 0; i < cities->count; i++) {
        struct text code = cities->city[i].put.code;
        const struct city *city = index->cities[i];
        uint64_t matter = 0;
        must(city_index_find(index, code) == i);
        compare_found(txn, model, TABLE_CITY, code.data, code.size, true);
        compare_city_row_alone(cities, code, city->value.data, city->value.size);
        compare_city_message(txn, cities, i);
        for (int mobile = 0; mobile < MODEL_MOBILES; mobile++) {
            const struct model_visit *visit = &cities->visit[i][mobile];
            compare_visit(txn, model, i, mobile);
            compare_known(city, visit, mobile, now_ms);
            matter +=
                visit->is_there && model_visit_matters(visit, city->view.row.window_days, now_ms);
        }
        if (!city->is_whole)
            continue;
        struct city_filter_figures figures;
        city_filter_figures(&city->memory.filter, &figures);
        /* CITY-2: each counted once; of an image without those that came while it was written. */
        must(figures.keys == city->memory.table.count ||
             (read->is_of_image && figures.keys < city->memory.table.count));
        must(city->memory.table.count >= matter && figures.keys <= MODEL_MOBILES);
    }
}

/* --- answers -------------------------------------------------------------------------------------
 */

/* A city's group may have changed since the message, but not within the command. */
static void compare_group(struct txn *txn, struct model *model, const struct signal *signal)
{
    struct text group = model->cities.city[signal->city].put.group;
    int mobile = model_mobile_of(signal->mobile);
    char key[PACKET_GROUP_MAX + 8];

    if (group.size == 0)
        return;
    memcpy(key, group.data, group.size);
    bytes_put_u64_be(key + group.size, signal->mobile);
    compare_found(txn, model, TABLE_GROUP_WELCOME, key, group.size + 8,
                  model->cities.welcome[group.size][mobile].is_there);
}

static void compare_signals_answered(struct txn *txn, struct model *model,
                                     const struct signals_command *command,
                                     const struct expected *expected, const struct result *result)
{
    const struct signals_result *wanted = &expected->signals, *found = &result->of.signals;

    if (found->first_visits != wanted->first_visits || found->repeats != wanted->repeats ||
        found->skipped != wanted->skipped || found->invalid != wanted->invalid)
        wrong("%u are new, %u repeats, %u skipped, %u invalid, and must be %u, %u, %u, %u",
              found->first_visits, found->repeats, found->skipped, found->invalid,
              wanted->first_visits, wanted->repeats, wanted->skipped, wanted->invalid);
    must(found->messages == wanted->messages && found->refused == wanted->refused);
    must(memcmp(found->codes, wanted->codes, sizeof found->codes) == 0);
    must(found->first_visits + found->repeats + found->skipped + found->invalid ==
         (int)command->count);
    for (size_t i = 0; i < command->count; i++) {
        const struct signal *signal = &command->signals[i];
        if (signal->city == CITY_NONE)
            continue;
        compare_visit(txn, model, signal->city, model_mobile_of(signal->mobile));
        compare_group(txn, model, signal);
    }
}

void compare_city_answered(struct txn *txn, struct model *model, const struct command *command,
                           const struct expected *expected, const struct result *result)
{
    switch (command->type) {
    case COMMAND_CITY_PUT:
        must(result->of.city.index == expected->city.index);
        must((result->of.city.is_new != 0) == expected->city.is_new);
        compare_found(txn, model, TABLE_CITY, command->of.city_put.code.data,
                      command->of.city_put.code.size, true);
        compare_city_message(txn, &model->cities, result->of.city.index);
        break;
    case COMMAND_SIGNALS:
        compare_signals_answered(txn, model, &command->of.signals, expected, result);
        break;
    default:
        break;
    }
}

/* --- learning ------------------------------------------------------------------------------------
 */

/* CITY-6: a row goes when nothing can depend on it, and does not stay for ever when it is asked to
 * go. */
static void learn_expired(struct txn *txn, struct model_cities *cities, const struct visit_key *key,
                          int64_t now_ms)
{
    int mobile = model_mobile_of(key->mobile);
    const struct model_visit *visit = &cities->visit[key->city][mobile];
    struct visit_row row;

    if (visit_find(txn, key->city, key->mobile, &row)) {
        must(visit->is_there);
        if (!model_visit_matters(visit, key->window_days, now_ms - 2 * DAY_MS))
            wrong("a visit stays that nothing asks for any more");
        return;
    }
    if (visit->is_there && model_visit_matters(visit, key->window_days, now_ms))
        wrong("a visit is gone that is still asked for");
    model_visit_learn(cities, key->city, mobile, NULL);
}

/* CITY-10: exactly the old ones. */
static void learn_welcome_expired(struct txn *txn, struct model_cities *cities,
                                  const struct welcome_key *key, int64_t now_ms)
{
    int mobile = model_mobile_of(key->mobile);
    struct model_welcome *welcome = &cities->welcome[key->group.size][mobile];
    struct group_welcome_row row;
    struct trace_row trace;

    if (key->group.size == 0) {
        bool is_old = model_trace_is_old(cities, mobile, now_ms);
        must(trace_find(txn, key->mobile, &trace) == (cities->decisions[mobile] > 0 && !is_old));
        cities->traces -= is_old;
        cities->decisions[mobile] = is_old ? 0 : cities->decisions[mobile];
        return;
    }
    if (group_welcome_find(txn, key->group, key->mobile, &row)) {
        must(welcome->is_there && !model_welcome_is_old(welcome, now_ms - 2 * DAY_MS));
        return;
    }
    must(!welcome->is_there || model_welcome_is_old(welcome, now_ms));
    cities->welcomes -= welcome->is_there;
    welcome->is_there = false;
}

void learn_visits(struct txn *txn, struct model *model, const struct command *command)
{
    const struct signals_command *signals = &command->of.signals;
    const struct visit_expire_command *expire = &command->of.visit_expire;
    const struct welcome_expire_command *welcome = &command->of.welcome_expire;
    struct visit_row row;

    for (size_t i = 0; command->type == COMMAND_WELCOME_EXPIRE && i < welcome->count; i++)
        learn_welcome_expired(txn, &model->cities, &welcome->keys[i], command->now_ms);

    for (size_t i = 0; command->type == COMMAND_VISIT_EXPIRE && i < expire->count; i++)
        learn_expired(txn, &model->cities, &expire->keys[i], command->now_ms);
    for (size_t i = 0; command->type == COMMAND_SIGNALS && i < signals->count; i++) {
        const struct signal *signal = &signals->signals[i];
        if (signal->city != CITY_NONE && visit_find(txn, signal->city, signal->mobile, &row))
            model_visit_learn(&model->cities, signal->city, model_mobile_of(signal->mobile), &row);
    }
}
