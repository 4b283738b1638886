/* /v1/companies, countries, channels, products, templates, routes, scenes and settings: the same
 * calls for each, as the rows of catalog_kind.def say. A list is filtered by status, by each field
 * that is a choice, and by each that refers to another kind, under that kind's name. */
#include "api/catalog.h"

#include <assert.h>
#include <string.h>

#include "api/page.h"
#include "gateway/gateway.h"

/* --- who sees what -------------------------------------------------------------------------------
 */

enum catalog_kind call_catalog_kind(const struct call *call)
{
    struct text path = {call->route->path, strlen(call->route->path)};
    int kind = 1;

    path.data += strlen("/v1/");
    path.size = strcspn(path.data, "/");
    while (!text_equals(path, (struct text){catalog_kind_infos[kind].path,
                                            strlen(catalog_kind_infos[kind].path)})) {
        kind++;
        assert(kind < CATALOG_KIND_COUNT);
    }
    return (enum catalog_kind)kind;
}

bool call_may_see_kind(struct call *call, enum catalog_kind kind)
{
    if (call_company(call).data == NULL || catalog_kind_infos[kind].seen != CATALOG_SEEN_NONE)
        return true;
    call_refuse(call, OUTCOME_FORBIDDEN, "The API key is of a company, which does not see these");
    return false;
}

bool call_may_change_catalog(struct call *call)
{
    if (call_company(call).data == NULL)
        return true;
    call_refuse(call, OUTCOME_FORBIDDEN,
                "The API key is of a company, which does not change the catalogue");
    return false;
}

bool call_sees(const struct call *call, const struct catalog_thing *thing)
{
    struct text company = call_company(call);

    if (company.data == NULL || catalog_kind_infos[thing->kind].seen == CATALOG_SEEN_ALL)
        return true;
    if (thing->kind == CATALOG_COMPANY)
        return text_equals(thing->id, company);
    if (thing->kind == CATALOG_ROUTE)
        return text_equals(catalog_text(thing, ROUTE_COMPANY), company);
    return thing->kind == CATALOG_TEMPLATE &&
           catalog_texts_have(thing, TEMPLATE_COMPANIES, company);
}

/* --- one -----------------------------------------------------------------------------------------
 */

static void scratch_init(struct arena *scratch)
{
    arena_init(scratch, JSON_ARENA_BYTES_MAX((size_t)CATALOG_FIELDS_BYTES));
}

/* Answers with the thing as it is. False: there is none that the key sees, and nothing is replied.
 */
static bool answer_thing(struct call *call, enum catalog_kind kind, int status)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct catalog_thing thing;
    bool is_found = catalog_find(txn, kind, call->params[0], &thing) && call_sees(call, &thing);
    struct arena scratch;

    if (is_found) {
        struct json_writer w = call_answer_status(call, status);
        scratch_init(&scratch);
        catalog_write(&w, txn, &thing, &scratch);
        arena_release(&scratch);
    }
    call_read_end(call, txn);
    return is_found;
}

void api_catalog_get(struct call *call)
{
    enum catalog_kind kind = call_catalog_kind(call);

    if (call_may_see_kind(call, kind) && !answer_thing(call, kind, call->route->success))
        call_refuse(call, catalog_kind_infos[kind].not_found, NULL);
}

/* Runs what changes a thing, and answers with it. */
static void run_change(struct call *call, enum catalog_kind kind, struct command *command)
{
    struct result result;

    if (!call_run(call, command, &result))
        return;
    gateways_changed(call->api->gateways);
    if (!answer_thing(call, kind, result.of.catalog.is_new ? 201 : 200))
        assert(!"it was changed just now");
}

/* False: replied. */
static bool bind_draft(struct call *call, struct catalog_draft *draft)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct json_errors errors;
    struct catalog_thing before;
    bool is_new = !catalog_find(txn, draft->kind, call->params[0], &before);

    json_errors_init(&errors);
    catalog_bind(call, txn, call->params[0], is_new ? NULL : &before, draft, &errors);
    call_read_end(call, txn);
    if (errors.count > 0)
        call_refuse_errors(call, &errors);
    return errors.count == 0;
}

void api_catalog_put(struct call *call)
{
    struct command command = {.type = COMMAND_CATALOG_PUT};
    struct catalog_draft draft;

    catalog_draft_init(&draft, call_catalog_kind(call));
    if (!call_may_change_catalog(call))
        return;
    if (draft.kind == CATALOG_SETTING && setting_find(call->params[0]) == SETTING_COUNT) {
        call_refuse(call, OUTCOME_SETTING_NOT_FOUND, NULL);
        return;
    }
    if (call->json == NULL) {
        call_refuse(call, OUTCOME_MALFORMED_JSON, "A JSON object is expected as the body");
        return;
    }
    if (!bind_draft(call, &draft))
        return;
    command.of.catalog_put = (struct catalog_put_command){
        .id = call->params[0], .draft = &draft, .by = call->key->row.number};
    run_change(call, draft.kind, &command);
}

/* --- status --------------------------------------------------------------------------------------
 */

static bool is_status(const char *data, size_t size)
{
    return catalog_status_parse((struct text){data, size}) != 0;
}

#define STATUS_FIELD(type, required)                                                               \
    {                                                                                              \
        .name = "status", .kind = JSON_TEXT, .offset = offsetof(type, status),                     \
        .is_required = (required), .min = 1, .max = 16, .check = is_status,                        \
        .rule = "must be enabled, disabled or void"                                                \
    }

struct status_body {
    struct json_text status;
};

static const struct json_field status_fields[] = {STATUS_FIELD(struct status_body, true)};

void api_catalog_update(struct call *call)
{
    struct status_body body;
    struct command command = {.type = COMMAND_CATALOG_STATUS};
    enum catalog_kind kind = call_catalog_kind(call);
    uint64_t given;

    if (!call_may_change_catalog(call) ||
        !call_bind(call, status_fields, FIELD_COUNT(status_fields), &body, &given))
        return;
    command.of.catalog_status =
        (struct catalog_status_command){.kind = kind,
                                        .id = call->params[0],
                                        .status = catalog_status_parse(text_of(body.status)),
                                        .by = call->key->row.number};
    run_change(call, kind, &command);
}

/* --- lists ---------------------------------------------------------------------------------------
 */

struct catalog_query {
    struct page page;
    struct json_text status;
    struct json_text filters[CATALOG_FIELDS_MAX]; /* by field number */
};

/* The parameter that filters by the field; NULL: none does. */
static const char *parameter_of(enum catalog_field field)
{
    enum catalog_kind refers = catalog_field_refers(field);

    if (catalog_field_infos[field].type == CATALOG_CHOICE)
        return catalog_field_infos[field].json;
    return refers == 0 ? NULL : catalog_kind_infos[refers].singular;
}

/* False: replied. */
static bool has_known_choices(struct call *call, enum catalog_kind kind,
                              const struct catalog_query *query)
{
    for (int i = 0; i < CATALOG_FIELD_COUNT; i++) {
        const struct catalog_field_info *info = &catalog_field_infos[i];
        const struct json_text *wanted = &query->filters[info->number];
        if (info->kind != kind || info->type != CATALOG_CHOICE || wanted->data == NULL ||
            catalog_choice_parse(info->rule, text_of(*wanted)) != 0)
            continue;
        call_refuse_field(call, json_pointer_name(call->arena, "", info->json),
                          catalog_rule_text(info->rule));
        return false;
    }
    return true;
}

static bool bind_list(struct call *call, enum catalog_kind kind, struct catalog_query *query)
{
    struct json_field fields[CATALOG_FIELDS_MAX + 3] = {PAGE_FIELDS(struct catalog_query, page),
                                                        STATUS_FIELD(struct catalog_query, false)};
    size_t count = 3;

    for (int i = 0; i < CATALOG_FIELD_COUNT; i++) {
        const struct catalog_field_info *info = &catalog_field_infos[i];
        const char *name = parameter_of((enum catalog_field)i);
        if (info->kind == kind && name != NULL)
            fields[count++] =
                (struct json_field){.name = name,
                                    .kind = JSON_TEXT,
                                    .offset = offsetof(struct catalog_query, filters) +
                                              info->number * sizeof *query->filters,
                                    .min = 1,
                                    .max = CATALOG_ID_MAX};
    }
    return call_bind_query(call, fields, count, query) && has_known_choices(call, kind, query);
}

/* A list that was not given has everything. */
static bool passes_filter(const struct catalog_thing *thing, enum catalog_field field,
                          struct text wanted)
{
    const struct catalog_field_info *info = &catalog_field_infos[field];

    if (info->type == CATALOG_CHOICE)
        return catalog_int(thing, field) == catalog_choice_parse(info->rule, wanted);
    if (info->type == CATALOG_TEXTS)
        return catalog_texts_have(thing, field, wanted);
    return text_equals(catalog_text(thing, field), wanted);
}

static bool passes(const struct call *call, const struct catalog_query *query,
                   const struct catalog_thing *thing)
{
    if (query->status.data != NULL && catalog_status_parse(text_of(query->status)) != thing->status)
        return false;
    for (int i = 0; i < CATALOG_FIELD_COUNT; i++) {
        const struct json_text *wanted = &query->filters[catalog_field_infos[i].number];
        if (catalog_field_infos[i].kind == thing->kind && wanted->data != NULL &&
            !passes_filter(thing, (enum catalog_field)i, text_of(*wanted)))
            return false;
    }
    return call_sees(call, thing);
}

struct catalog_list {
    const struct call *call;
    enum catalog_kind kind;
    const struct catalog_query *query;
    struct json_writer writer;
    struct arena scratch;
    int64_t count; /* of things that pass */
    uint64_t last; /* written */
};

static bool take_thing(void *context, struct txn *txn, uint64_t number, const struct txn_walk *at)
{
    struct catalog_list *list = context;
    struct catalog_thing thing;

    if (!catalog_find(txn, list->kind, (struct text){at->value, at->value_size}, &thing))
        assert(!"a number without its thing");
    if (!passes(list->call, list->query, &thing))
        return false;
    if (list->count++ < list->query->page.limit) {
        catalog_write(&list->writer, txn, &thing, &list->scratch);
        list->last = number;
    }
    return true;
}

/* One more than the page has is looked for, so that only a page that is not the last has a cursor.
 */
void api_catalog_list(struct call *call)
{
    struct catalog_query query = {PAGE_DEFAULT, {NULL, 0}, {{NULL, 0}}};
    struct catalog_list list = {.call = call, .kind = call_catalog_kind(call), .query = &query};
    struct page_walk walk = {.table = TABLE_CATALOG_NUMBER,
                             .direction = WALK_DOWN,
                             .key = {(char)list.kind},
                             .prefix_size = 1,
                             .after = UINT64_MAX,
                             .take = take_thing,
                             .context = &list};

    if (!call_may_see_kind(call, list.kind) || !bind_list(call, list.kind, &query) ||
        !call_page_after(call, &query.page, &walk.after))
        return;
    scratch_init(&list.scratch);
    list.writer = call_begin_list(call);
    walk.limit = query.page.limit + 1;
    call_walk_page(call, &walk);
    call_end_list(&list.writer, list.count > query.page.limit ? list.last : 0);
    arena_release(&list.scratch);
}
