/* /v1/cities, the visits to them, and traces (CITY-8, CITY-9, CITY-10). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/billing.h"
#include "base/id.h"
#include "engine/city_index.h"
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
    struct json_text name, group, basis;
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

static const struct json_field city_fields[] = {
    {.name = "name",
     .kind = JSON_TEXT,
     .offset = offsetof(struct city_body, name),
     .is_required = true,
     .min = 1,
     .max = CITY_NAME_MAX},
    {.name = "capacity",
     .kind = JSON_INT,
     .offset = offsetof(struct city_body, capacity),
     .is_required = true,
     .min = 1,
     .max = CAPACITY_MAX},
    {.name = "misjudgement",
     .kind = JSON_DECIMAL,
     .offset = offsetof(struct city_body, misjudgement),
     .min = RATE_MIN,
     .max = RATE_MAX,
     .decimals = RATE_DECIMALS},
    {.name = "areas", .kind = JSON_ANY, .offset = offsetof(struct city_body, areas)},
    {.name = "group",
     .kind = JSON_TEXT,
     .offset = offsetof(struct city_body, group),
     .is_nullable = true,
     .min = 1,
     .max = PACKET_GROUP_MAX,
     .check = account_id_is_valid,
     .rule = ACCOUNT_ID_RULE},
    {.name = "basis",
     .kind = JSON_TEXT,
     .offset = offsetof(struct city_body, basis),
     .check = is_basis,
     .rule = "must be seen or sent"},
    {.name = "window_days",
     .kind = JSON_INT,
     .offset = offsetof(struct city_body, window_days),
     .min = 1,
     .max = CITY_WINDOW_DAYS_MAX},
    {.name = "rollout_percent",
     .kind = JSON_INT,
     .offset = offsetof(struct city_body, rollout_percent),
     .min = 0,
     .max = 100},
    {.name = "labels",
     .kind = JSON_TEXTS,
     .offset = offsetof(struct city_body, labels),
     .is_nullable = true,
     .min = 0,
     .max = CITY_LABELS_MAX,
     .text_bytes_max = CITY_LABEL_MAX},
    {.name = "enabled",
     .kind = JSON_BOOL,
     .offset = offsetof(struct city_body, enabled),
     .is_required = true},
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
    if (city->built_ms == 0)
        json_null(w, "rebuilt_at");
    else
        json_time(w, "rebuilt_at", city->built_ms);
    json_bool(w, "rebuilding",
              city->is_rebuild_wanted ||
                  (cities->build != NULL && city_build_has(cities->build, index)));
    json_object_end(w);
}

static void write_city(struct json_writer *w, const struct city_index *cities,
                       const struct city *city)
{
    const struct city_view *view = &city->view;
    struct text label;
    size_t at = 0;

    json_object_begin(w, NULL);
    json_text(w, "code", city->code, city->code_size);
    json_text(w, "name", view->name.data, view->name.size);
    json_text(w, "group", view->group.size > 0 ? view->group.data : NULL, view->group.size);
    json_int(w, "capacity", (int64_t)view->row.capacity);
    json_decimal(w, "misjudgement", (int64_t)view->row.misjudgement, RATE_DECIMALS);
    write_areas(w, view);
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

/* NULL: replied. */
static const struct city *city_of(struct call *call)
{
    const struct city_index *cities = pipeline_cities(call->api->pipeline);
    uint32_t index = city_index_find(cities, call->params[0]);

    if (index != CITY_NONE)
        return cities->cities[index];
    call_refuse(call, OUTCOME_CITY_NOT_FOUND, NULL);
    return NULL;
}

/* A look at the memory is a look at the rows. */
static void hold_for_read(struct call *call)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);

    call->reply->hold = pipeline_read_end(call->api->pipeline, txn);
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
    struct json_writer w;
    struct txn *txn;

    if (!account_id_is_valid(call->params[0].data, call->params[0].size)) {
        call_refuse(call, OUTCOME_INVALID, "a city's code " ACCOUNT_ID_RULE);
        return;
    }
    if (!bind_city(call, &command.of.city_put))
        return;
    if (!has_room(call, &command.of.city_put)) {
        call_refuse(call, OUTCOME_CITIES_MEMORY_FULL, "see the option cities_memory_bytes_max");
        return;
    }
    if (!call_run(call, &command, &result))
        return;
    txn = pipeline_read_begin(call->api->pipeline);
    city_index_changed(cities, txn, call->params[0], result.of.city.is_new != 0);
    pipeline_read_end(call->api->pipeline, txn);
    w = call_answer(call);
    write_city(&w, cities, cities->cities[result.of.city.index]);
}

void api_city_get(struct call *call)
{
    const struct city *city = city_of(call);
    struct json_writer w;

    if (city == NULL)
        return;
    hold_for_read(call);
    w = call_answer(call);
    write_city(&w, pipeline_cities(call->api->pipeline), city);
}

static const struct json_field list_parameters[] = {PAGE_FIELDS(struct page_query, page)};

/* Newest first: a city's index, plus 1, is its cursor. */
void api_city_list(struct call *call)
{
    const struct city_index *cities = pipeline_cities(call->api->pipeline);
    struct page_query query = {PAGE_DEFAULT};
    uint64_t after = UINT64_MAX;
    struct json_writer w;
    uint64_t next;

    if (!call_bind_query(call, list_parameters, FIELD_COUNT(list_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    next = after > cities->count ? cities->count : after - 1;
    hold_for_read(call);
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_array_begin(&w, "data");
    for (; next > 0 && query.page.limit > 0; next--, query.page.limit--)
        write_city(&w, cities, cities->cities[next - 1]);
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
    struct json_writer w;

    if (city == NULL)
        return;
    cities->cities[city->view.row.index]->is_rebuild_wanted = true;
    jobs_run(call->api->jobs, jobs_find(TEXT("city_rebuild")), on_rebuilt, NULL);
    w = call_answer(call);
    write_city(&w, cities, city);
}

/* --- visits --------------------------------------------------------------------------------------
 */

static void write_time_s(struct json_writer *w, const char *name, uint32_t seconds)
{
    if (seconds == 0)
        json_null(w, name);
    else
        json_time(w, name, (int64_t)seconds * 1000);
}

void api_visit_get(struct call *call)
{
    const struct city *city = city_of(call);
    struct visit_row row = {0};
    struct json_writer w;
    struct txn *txn;
    uint64_t mobile;

    if (city == NULL)
        return;
    if (!mobile_parse(call->params[1], &mobile)) {
        call_refuse(call, OUTCOME_INVALID, "a mobile must be + and 7 to 15 digits");
        return;
    }
    txn = pipeline_read_begin(call->api->pipeline);
    bool is_seen = visit_find(txn, city->view.row.index, mobile, &row);
    call->reply->hold = pipeline_read_end(call->api->pipeline, txn);
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_bool(&w, "seen", is_seen);
    write_time_s(&w, "first_seen_at", row.first_s);
    write_time_s(&w, "last_seen_at", row.last_s);
    json_null(&w, "message");
    if (city->is_whole)
        json_bool(&w, "in_filter",
                  city_filter_may_have(&city->memory.filter,
                                       city_filter_hash(&city->memory.filter, mobile)));
    else
        json_null(&w, "in_filter");
    json_object_end(&w);
}

/* --- traces --------------------------------------------------------------------------------------
 */

static const struct {
    const char *text, *reason;
} decisions[] = {
#define DECISION(name, number, text, reason) [number] = {text, reason},
#include "engine/city_decision.def"
#undef DECISION
};

static void write_item(struct json_writer *w, const struct city_index *cities,
                       const struct trace_item *item)
{
    const struct city *city = cities->cities[item->city];

    json_object_begin(w, NULL);
    json_time(w, "at", item->at_ms);
    json_text(w, "city", city->code, city->code_size);
    json_string(w, "decision", decisions[item->decision].text);
    json_string(w, "reason", decisions[item->decision].reason);
    json_null(w, "message");
    json_time(w, "decided_at", item->decided_ms);
    json_object_end(w);
}

struct trace_query {
    struct json_text mobile;
};

static const struct json_field trace_parameters[] = {
    {.name = "mobile",
     .kind = JSON_TEXT,
     .offset = offsetof(struct trace_query, mobile),
     .is_required = true,
     .min = 1,
     .max = MOBILE_TEXT_MAX}};

/* A + that is not written %2B is a space in a query. */
static bool parse_mobile(struct json_text text, uint64_t *mobile)
{
    char spelled[MOBILE_TEXT_MAX];

    if (text.data == NULL)
        return false;
    memcpy(spelled, text.data, text.size);
    if (spelled[0] == ' ')
        spelled[0] = '+';
    return mobile_parse((struct text){spelled, text.size}, mobile);
}

void api_trace_list(struct call *call)
{
    const struct city_index *cities = pipeline_cities(call->api->pipeline);
    struct trace_query query = {.mobile = {NULL, 0}};
    struct trace_row row = {.count = 0};
    struct json_writer w;
    struct txn *txn;
    uint64_t mobile;

    if (!call_bind_query(call, trace_parameters, FIELD_COUNT(trace_parameters), &query))
        return;
    if (!parse_mobile(query.mobile, &mobile)) {
        call_refuse_field(call, "/mobile", "must be + and 7 to 15 digits");
        return;
    }
    txn = pipeline_read_begin(call->api->pipeline);
    trace_find(txn, mobile, &row);
    call->reply->hold = pipeline_read_end(call->api->pipeline, txn);
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_array_begin(&w, "data");
    for (uint32_t i = 0; i < row.count; i++)
        write_item(&w, cities, &row.items[i]);
    call_end_list(&w, 0);
}
