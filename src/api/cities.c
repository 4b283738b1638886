/* /v1/cities and the visits to them (CITY-5, CITY-8, CITY-9). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/billing.h"
#include "api/cities.h"
#include "api/messages.h"
#include "api/page.h"
#include "base/id.h"
#include "engine/city_index.h"
#include "engine/city_message.h"
#include "engine/mobile.h"
#include "jobs/jobs.h"

enum {
    RATE_DECIMALS = 9,
    DEGREE_DECIMALS = 6,
    SHOWN_DECIMALS = 6,
    CAPACITY_MAX = 200000000,
    WINDOW_DAYS_DEFAULT = 15,
};
#define RATE_MIN     INT64_C(10000) /* CITY_FILTER_RATE_MIN and _MAX, in 10^-9 */
#define RATE_MAX     INT64_C(100000000)
#define RATE_DEFAULT INT64_C(100000)

/* --- putting -------------------------------------------------------------------------------------
 */

struct city_body {
    struct json_text name, group, basis, company, template;
    const struct json_value *params;
    int64_t capacity, misjudgement, window_days, rollout_percent;
    const struct json_value *areas;
    struct json_texts labels;
    bool enabled;
};

static bool is_basis(const char *data, size_t size)
{
    struct text text = {data, size};

    return text_equals(text, TEXT("seen")) || text_equals(text, TEXT("sent"));
}

#define BODY struct city_body

static const struct json_field city_fields[] = {
    TEXT_FIELD(BODY, name, true, 1, CITY_NAME_MAX, NULL, NULL),
    {.name = "capacity",
     .kind = JSON_INT,
     .offset = offsetof(BODY, capacity),
     .is_required = true,
     .min = 1,
     .max = CAPACITY_MAX},
    {.name = "misjudgement",
     .kind = JSON_DECIMAL,
     .offset = offsetof(BODY, misjudgement),
     .min = RATE_MIN,
     .max = RATE_MAX,
     .decimals = RATE_DECIMALS},
    {.name = "areas", .kind = JSON_ANY, .offset = offsetof(BODY, areas)},
    TEXT_FIELD(BODY, group, false, 1, PACKET_GROUP_MAX, is_id, ID_RULE),
    TEXT_FIELD(BODY, company, false, 1, COMPANY_ID_MAX, NULL, NULL),
    TEXT_FIELD(BODY, template, false, 1, TEMPLATE_ID_MAX, NULL, NULL),
    PARAMS_FIELD(BODY),
    {.name = "basis",
     .kind = JSON_TEXT,
     .offset = offsetof(BODY, basis),
     .check = is_basis,
     .rule = "must be seen or sent"},
    {.name = "window_days",
     .kind = JSON_INT,
     .offset = offsetof(BODY, window_days),
     .min = 1,
     .max = CITY_WINDOW_DAYS_MAX},
    {.name = "rollout_percent",
     .kind = JSON_INT,
     .offset = offsetof(BODY, rollout_percent),
     .min = 0,
     .max = 100},
    {.name = "labels",
     .kind = JSON_TEXTS,
     .offset = offsetof(BODY, labels),
     .is_nullable = true,
     .min = 0,
     .max = CITY_LABELS_MAX,
     .text_bytes_max = CITY_LABEL_MAX},
    {.name = "enabled", .kind = JSON_BOOL, .offset = offsetof(BODY, enabled), .is_required = true},
};

struct area_body {
    int64_t lat, lon, radius_m;
};

static const struct json_field area_fields[] = {
    {.name = "lat",
     .kind = JSON_DECIMAL,
     .offset = offsetof(struct area_body, lat),
     .is_required = true,
     .min = -AREA_LAT_MAX,
     .max = AREA_LAT_MAX,
     .decimals = DEGREE_DECIMALS},
    {.name = "lon",
     .kind = JSON_DECIMAL,
     .offset = offsetof(struct area_body, lon),
     .is_required = true,
     .min = -AREA_LON_MAX,
     .max = AREA_LON_MAX,
     .decimals = DEGREE_DECIMALS},
    {.name = "radius_m",
     .kind = JSON_INT,
     .offset = offsetof(struct area_body, radius_m),
     .is_required = true,
     .min = 1,
     .max = AREA_RADIUS_MAX_M},
};

/* Wrong ones are added to the errors. */
static void take_areas(struct call *call, const struct json_value *json,
                       struct city_put_command *put, struct json_errors *errors)
{
    const struct json_value *item = json_array_first(json);
    struct city_area_row *areas;

    if (!json_is_array(json) || json_array_size(json) > CITY_AREAS_MAX) {
        json_errors_add(call->arena, errors, "/areas", "must be an array of at most 200 areas");
        return;
    }
    areas = arena_alloc(call->arena, json_array_size(json) * sizeof *areas);
    put->areas = areas;
    for (; item != NULL; item = json_next(item), put->area_count++) {
        struct area_body body = {0};
        uint64_t given;
        json_bind(call->arena, item, area_fields, FIELD_COUNT(area_fields), &body, &given,
                  json_pointer_index(call->arena, "/areas", put->area_count), errors);
        areas[put->area_count] =
            (struct city_area_row){(int32_t)body.lat, (int32_t)body.lon, (uint32_t)body.radius_m};
    }
}

static void take_labels(struct call *call, const struct json_texts *labels,
                        struct city_put_command *put)
{
    struct text *texts = arena_alloc(call->arena, labels->count * sizeof *texts);

    for (size_t i = 0; i < labels->count; i++)
        texts[i] = text_of(labels->items[i]);
    put->labels = texts;
    put->label_count = labels->count;
}

static void take_message(struct call *call, const struct city_body *body,
                         struct city_put_command *put, struct json_errors *errors)
{
    struct template_param *params = arena_alloc(call->arena, TEMPLATE_NAMES_MAX * sizeof *params);

    put->company = text_of(body->company);
    put->template = text_of(body->template);
    put->params = params;
    if (body->params != NULL && !json_is_null(body->params))
        put->param_count = message_take_params(call->arena, body->params, params, errors);
}

/* False: replied. */
static bool bind_city(struct call *call, struct city_put_command *put)
{
    struct city_body body = {.misjudgement = RATE_DEFAULT,
                             .window_days = WINDOW_DAYS_DEFAULT,
                             .rollout_percent = 100,
                             .basis = {"seen", 4}};
    struct json_errors errors;
    uint64_t given;

    if (!call_bind(call, city_fields, FIELD_COUNT(city_fields), &body, &given))
        return false;
    json_errors_init(&errors);
    if (body.areas != NULL)
        take_areas(call, body.areas, put, &errors);
    take_message(call, &body, put, &errors);
    if (errors.count_all > 0) {
        call_refuse_errors(call, &errors);
        return false;
    }
    take_labels(call, &body.labels, put);
    put->name = text_of(body.name);
    put->group = text_of(body.group);
    put->capacity = (uint64_t)body.capacity;
    put->misjudgement = (uint64_t)body.misjudgement;
    put->basis = text_equals(text_of(body.basis), TEXT("seen")) ? CITY_SEEN : CITY_SENT;
    put->window_days = (uint16_t)body.window_days;
    put->rollout_percent = (uint8_t)body.rollout_percent;
    put->is_enabled = body.enabled;
    return true;
}

/* --- showing -------------------------------------------------------------------------------------
 */

static void write_areas(struct json_writer *w, const struct city_view *view)
{
    json_array_begin(w, "areas");
    for (uint32_t i = 0; i < view->row.area_count; i++) {
        struct city_area_row area;
        memcpy(&area, view->areas + i * sizeof area, sizeof area);
        json_object_begin(w, NULL);
        json_decimal(w, "lat", area.lat, DEGREE_DECIMALS);
        json_decimal(w, "lon", area.lon, DEGREE_DECIMALS);
        json_int(w, "radius_m", area.radius_m);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_share(struct json_writer *w, const char *name, double share, double one,
                        int decimals)
{
    json_decimal(w, name, (int64_t)(share * one + 0.5), decimals);
}

/* null while the city is not in memory whole. */
static void write_filter(struct json_writer *w, const struct city_index *cities,
                         const struct city *city)
{
    uint32_t index = city->view.row.index;
    struct city_filter_figures figures;

    if (!city->is_whole) {
        json_null(w, "filter");
        return;
    }
    city_filter_figures(&city->memory.filter, &figures);
    json_object_begin(w, "filter");
    json_int(w, "bytes", (int64_t)figures.bytes);
    write_share(w, "bits_per_key", figures.bits_per_key, 100, 2);
    json_int(w, "hashes", figures.hashes);
    json_int(w, "keys", (int64_t)figures.keys);
    write_share(w, "fill", figures.fill, 1e6, SHOWN_DECIMALS);
    write_share(w, "misjudgement_estimate", figures.misjudgement_estimate, 1e9, RATE_DECIMALS);
    json_time_or_null(w, "rebuilt_at", city->built_ms);
    json_bool(w, "rebuilding",
              city->is_rebuild_wanted ||
                  (cities->build != NULL && city_build_has(cities->build, index)));
    json_object_end(w);
}

static void write_message_of(struct json_writer *w, struct txn *txn, uint32_t city)
{
    struct city_message message;
    bool is_there = city_message_find(txn, city, &message);

    json_text(w, "company", is_there ? message.company.data : NULL,
              is_there ? message.company.size : 0);
    json_text(w, "template", is_there ? message.template.data : NULL,
              is_there ? message.template.size : 0);
    write_params(w, message.params, is_there ? message.param_count : 0);
}

static void write_city(struct json_writer *w, const struct city_index *cities, struct txn *txn,
                       const struct city *city)
{
    const struct city_view *view = &city->view;
    struct text label;
    size_t at = 0;

    json_object_begin(w, NULL);
    json_text(w, "code", city->code, city->code_size);
    json_text(w, "name", view->name.data, view->name.size);
    json_text_or_null(w, "group", view->group.data, view->group.size);
    json_int(w, "capacity", (int64_t)view->row.capacity);
    json_decimal(w, "misjudgement", (int64_t)view->row.misjudgement, RATE_DECIMALS);
    write_areas(w, view);
    write_message_of(w, txn, view->row.index);
    json_string(w, "basis", view->row.basis == CITY_SEEN ? "seen" : "sent");
    json_int(w, "window_days", view->row.window_days);
    json_int(w, "rollout_percent", view->row.rollout_percent);
    json_array_begin(w, "labels");
    while (city_view_label(view, &at, &label))
        json_text(w, NULL, label.data, label.size);
    json_array_end(w);
    json_bool(w, "enabled", view->row.is_enabled != 0);
    json_time(w, "created_at", id_time_ms(view->row.number));
    json_time(w, "updated_at", view->row.updated_ms);
    write_filter(w, cities, city);
    json_object_end(w);
}

bool call_may_see_city(const struct call *call, struct txn *txn, uint32_t city)
{
    struct text own = call_company(call);
    struct city_message message;

    return own.data == NULL || !city_message_find(txn, city, &message) ||
           text_equals(own, message.company);
}

/* NULL: there is none for the caller, and that is replied. */
static const struct city *city_of(struct call *call)
{
    const struct city_index *cities = pipeline_cities(call->api->pipeline);
    uint32_t index = city_index_find(cities, call->params[0]);
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool is_seen = index != CITY_NONE && call_may_see_city(call, txn, index);

    call_read_end(call, txn);
    if (is_seen)
        return cities->cities[index];
    call_refuse(call, OUTCOME_CITY_NOT_FOUND, NULL);
    return NULL;
}

/* A look at the memory is a look at the rows. */
static void answer_city(struct call *call, const struct city *city)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct json_writer w = call_answer(call);

    write_city(&w, pipeline_cities(call->api->pipeline), txn, city);
    call_read_end(call, txn);
}

/* With what is wrong with its message, if it was refused for that. */
static void refuse_city(struct call *call, const struct city_put_command *put, enum outcome outcome)
{
    struct message_fault faults[MESSAGE_FAULTS_MAX];
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    size_t count = city_message_check(txn, put, faults);
    struct json_errors errors;

    json_errors_init(&errors);
    message_list_faults(call->arena, faults, count, &errors);
    call_read_end(call, txn);
    call_answer_refusal(call, outcome,
                        count > 0 && city_message_outcome(faults, count) == outcome ? &errors
                                                                                    : NULL);
}

/* A key of a company puts cities that send for it, and none that send for another. */
static bool may_put(struct call *call, const struct city_put_command *put)
{
    uint32_t index = city_index_find(pipeline_cities(call->api->pipeline), put->code);
    struct city_message message;
    struct txn *txn;
    bool is_there;

    if (put->company.data != NULL && !call_may_act_for(call, put->company))
        return false;
    if (index == CITY_NONE)
        return true;
    txn = pipeline_read_begin(call->api->pipeline);
    is_there = city_message_find(txn, index, &message);
    call_read_end(call, txn);
    return !is_there || call_may_act_for(call, message.company);
}

/* Whether there is memory for the city as it is to be; one that does not grow is let be. */
static bool has_room(struct call *call, const struct city_put_command *put)
{
    const struct city_index *cities = pipeline_cities(call->api->pipeline);
    uint32_t index = city_index_find(cities, put->code);
    uint64_t planned = city_bytes_planned(put->capacity, put->misjudgement);

    if (index != CITY_NONE) {
        const struct city_row *row = &cities->cities[index]->view.row;
        if (planned <= city_bytes_planned(row->capacity, row->misjudgement))
            return true;
    }
    return city_index_planned(cities, put->code) + planned <=
           call->api->options.cities_memory_bytes_max;
}

void api_city_put(struct call *call)
{
    struct city_index *cities = pipeline_cities(call->api->pipeline);
    struct command command = {.type = COMMAND_CITY_PUT, .of.city_put = {.code = call->params[0]}};
    struct result result;
    struct txn *txn;

    if (!account_id_is_valid(call->params[0].data, call->params[0].size)) {
        call_refuse(call, OUTCOME_INVALID, "a city's code " ID_RULE);
        return;
    }
    if (!bind_city(call, &command.of.city_put) || !may_put(call, &command.of.city_put))
        return;
    if (!has_room(call, &command.of.city_put)) {
        call_refuse(call, OUTCOME_CITIES_MEMORY_FULL, "see the option cities_memory_bytes_max");
        return;
    }
    if (!call_try(call, &command, &result)) {
        refuse_city(call, &command.of.city_put, result.outcome);
        return;
    }
    txn = pipeline_read_begin(call->api->pipeline);
    city_index_changed(cities, txn, call->params[0], result.of.city.is_new != 0);
    call_read_end(call, txn);
    answer_city(call, cities->cities[result.of.city.index]);
}

void api_city_get(struct call *call)
{
    const struct city *city = city_of(call);

    if (city != NULL)
        answer_city(call, city);
}

/* Newest first: a city's index, plus 1, is its cursor. */
void api_city_list(struct call *call)
{
    const struct city_index *cities = pipeline_cities(call->api->pipeline);
    uint64_t after = UINT64_MAX, next;
    struct json_writer w;
    struct page page;
    struct txn *txn;

    if (!call_bind_page(call, &page) || !call_page_after(call, &page, &after))
        return;
    next = after > cities->count ? cities->count : after - (after > 0);
    txn = pipeline_read_begin(call->api->pipeline);
    w = call_begin_list(call);
    for (; next > 0 && page.limit > 0; next--) {
        const struct city *city = cities->cities[next - 1];
        if (!call_may_see_city(call, txn, city->view.row.index))
            continue;
        write_city(&w, cities, txn, city);
        page.limit--;
    }
    call_read_end(call, txn);
    call_end_list(&w, next > 0 ? next + 1 : 0);
}

static void on_rebuilt(void *context)
{
    (void)context; /* who asks looks at the city */
}

void api_city_rebuild(struct call *call)
{
    struct city_index *cities = pipeline_cities(call->api->pipeline);
    const struct city *city = city_of(call);

    if (city == NULL)
        return;
    cities->cities[city->view.row.index]->is_rebuild_wanted = true;
    jobs_run(call->api->jobs, jobs_find(TEXT("city_rebuild")), on_rebuilt, NULL);
    answer_city(call, city);
}

/* --- visits --------------------------------------------------------------------------------------
 */

void api_visit_get(struct call *call)
{
    const struct city *city = city_of(call);
    struct visit_row row = {0};
    struct json_writer w;
    struct txn *txn;
    uint64_t mobile;

    if (city == NULL)
        return;
    if (!mobile_of_parameter(call->params[1], &mobile)) {
        call_refuse(call, OUTCOME_INVALID, "The path's last part " MOBILE_RULE);
        return;
    }
    txn = pipeline_read_begin(call->api->pipeline);
    bool is_seen = visit_find(txn, city->view.row.index, mobile, &row);
    call_read_end(call, txn);
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_bool(&w, "seen", is_seen);
    json_time_or_null(&w, "first_seen_at", (int64_t)row.first_s * 1000);
    json_time_or_null(&w, "last_seen_at", (int64_t)row.last_s * 1000);
    json_id_or_null(&w, "message", "msg_", row.message);
    if (city->is_whole)
        json_bool(&w, "in_filter",
                  city_filter_may_have(&city->memory.filter,
                                       city_filter_hash(&city->memory.filter, mobile)));
    else
        json_null(&w, "in_filter");
    json_object_end(&w);
}
