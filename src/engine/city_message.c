/* The rows of what cities send, and whether a city may send it. What is checked here is how things
 * are when the city is put: company and template may change later, and then it is the message that
 * is refused, with a reason that its trace tells. */
#include "engine/city_message.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/catalog.h"
#include "engine/handler.h"

enum { CITY_MESSAGE_ROW_VERSION = 1, VALUE_MAX = 4096, PARAM_HEAD = 3 };

static_assert(sizeof(struct city_message_row) + COMPANY_ID_MAX + TEMPLATE_ID_MAX +
                      TEMPLATE_NAMES_MAX * PARAM_HEAD + CITY_PARAMS_BYTES_MAX <=
                  VALUE_MAX,
              "what a city sends fits its row");

/* --- rows ----------------------------------------------------------------------------------------
 */

static void key_write(char key[4], uint32_t city)
{
    uint32_t index = __builtin_bswap32(city);

    memcpy(key, &index, sizeof index);
}

static struct text take_text(const char **from, size_t size, char **to)
{
    struct text text = {*to, size};

    memcpy(*to, *from, size);
    *from += size;
    *to += size;
    return text;
}

static void take_param(const char **from, char **to, struct template_param *param)
{
    uint8_t name_size = (uint8_t) * *from;
    uint16_t value_size;

    memcpy(&value_size, *from + 1, sizeof value_size);
    *from += PARAM_HEAD;
    param->name = take_text(from, name_size, to);
    param->value = take_text(from, value_size, to);
}

bool city_message_find(struct txn *txn, uint32_t city, struct city_message *message)
{
    struct city_message_row row;
    char key[4], *to = message->bytes;
    const char *value;
    size_t size;

    key_write(key, city);
    value = txn_get(txn, TABLE_CITY_MESSAGE, key, sizeof key, &size);
    if (value == NULL)
        return false;
    memcpy(&row, value, sizeof row);
    assert(row.version == CITY_MESSAGE_ROW_VERSION && row.param_count <= TEMPLATE_NAMES_MAX);
    value += sizeof row;
    message->company = take_text(&value, row.company_size, &to);
    message->template = take_text(&value, row.template_size, &to);
    message->param_count = row.param_count;
    for (size_t i = 0; i < row.param_count; i++)
        take_param(&value, &to, &message->params[i]);
    return true;
}

static void append(char **to, const void *data, size_t size)
{
    if (size > 0)
        memcpy(*to, data, size);
    *to += size;
}

void city_message_store(struct engine *engine, uint32_t city,
                        const struct city_put_command *command)
{
    char key[4], value[VALUE_MAX], *to = value;
    struct city_message_row row = {.version = CITY_MESSAGE_ROW_VERSION,
                                   .company_size = (uint8_t)command->company.size,
                                   .template_size = (uint8_t)command->template.size,
                                   .param_count = (uint8_t)command->param_count};

    key_write(key, city);
    if (command->template.data == NULL) {
        txn_delete(engine->txn, TABLE_CITY_MESSAGE, key, sizeof key);
        return;
    }
    append(&to, &row, sizeof row);
    append(&to, command->company.data, command->company.size);
    append(&to, command->template.data, command->template.size);
    for (size_t i = 0; i < command->param_count; i++) {
        const struct template_param *param = &command->params[i];
        uint16_t value_size = (uint16_t)param->value.size;
        *to++ = (char)param->name.size;
        append(&to, &value_size, sizeof value_size);
        append(&to, param->name.data, param->name.size);
        append(&to, param->value.data, param->value.size);
    }
    txn_put(engine->txn, TABLE_CITY_MESSAGE, key, sizeof key, value, (size_t)(to - value));
}

/* --- {city} --------------------------------------------------------------------------------------
 */

/* Behind the `count` parameters there is room for one. Returns how many there are then. */
static size_t add_city(struct text content, struct text city_name, struct template_param *params,
                       size_t count)
{
    struct template_names names;
    bool is_asked = false;

    for (size_t i = 0; i < count; i++) {
        if (text_equals(params[i].name, TEXT("city")))
            return count;
    }
    if (template_check(content, &names, NULL) != TEMPLATE_OK)
        return count;
    for (size_t i = 0; i < names.count; i++)
        is_asked = is_asked || text_equals(names.names[i], TEXT("city"));
    if (is_asked)
        params[count++] = (struct template_param){TEXT("city"), city_name};
    return count;
}

void city_message_complete(struct txn *txn, struct city_message *message, struct text city_name)
{
    struct catalog_thing template;

    if (catalog_find(txn, CATALOG_TEMPLATE, message->template, &template))
        message->param_count = add_city(catalog_text(&template, TEMPLATE_CONTENT), city_name,
                                        message->params, message->param_count);
}

/* --- checks --------------------------------------------------------------------------------------
 */

struct check {
    struct message_fault *faults;
    size_t count;
};

static void fault(struct check *check, enum outcome outcome, const char *field, struct text param,
                  const char *detail)
{
    if (check->count < MESSAGE_FAULTS_MAX)
        check->faults[check->count++] = (struct message_fault){outcome, field, param, detail};
}

static void field_fault(struct check *check, const char *field, const char *detail)
{
    fault(check, OUTCOME_INVALID, field, (struct text){NULL, 0}, detail);
}

/* False: there is nothing else to look at. */
static bool check_given(struct check *check, const struct city_put_command *command)
{
    bool has_company = command->company.data != NULL, has_template = command->template.data != NULL;

    if (has_company && !has_template)
        field_fault(check, "template", "must be given with company");
    if (has_template && !has_company)
        field_fault(check, "company", "must be given with template");
    if (command->param_count > 0 && !has_template)
        field_fault(check, "params", "are given with a template only");
    return has_template;
}

static void check_params(struct check *check, const struct city_put_command *command,
                         struct text content)
{
    struct template_param params[TEMPLATE_NAMES_MAX + 1];
    struct template_refusal refusal;
    char text[MESSAGE_CONTENT_MAX];
    size_t bytes = 0, size;

    for (size_t i = 0; i < command->param_count; i++) {
        params[i] = command->params[i];
        bytes += params[i].name.size + params[i].value.size;
    }
    if (bytes > CITY_PARAMS_BYTES_MAX) {
        field_fault(check, "params", "are longer than 3072 bytes together");
        return;
    }
    if (template_render(content, params,
                        add_city(content, command->name, params, command->param_count), text,
                        sizeof text, &size, &refusal) == TEMPLATE_TOO_LONG)
        fault(check, OUTCOME_TOO_LONG, "params", (struct text){NULL, 0},
              "make the text longer than a message can be");
    for (size_t i = 0; i < refusal.missing.count; i++)
        fault(check, OUTCOME_MISSING_PARAMETER, "params", refusal.missing.names[i],
              "is a placeholder of the template and missing");
    for (size_t i = 0; i < refusal.unknown.count; i++)
        fault(check, OUTCOME_UNKNOWN_PARAMETER, "params", refusal.unknown.names[i],
              "is no placeholder of the template");
}

static void check_template(struct check *check, struct txn *txn,
                           const struct city_put_command *command)
{
    struct catalog_thing template;

    if (!catalog_find(txn, CATALOG_TEMPLATE, command->template, &template) ||
        template.status == CATALOG_VOID) {
        field_fault(check, "template", "there is no such template");
        return;
    }
    if (command->company.data != NULL &&
        !catalog_texts_have(&template, TEMPLATE_COMPANIES, command->company))
        field_fault(check, "template", "is not for this company");
    if (catalog_int(&template, TEMPLATE_KIND) == MESSAGE_KIND_VERIFICATION)
        field_fault(check, "template", "is of kind verification, and a welcome is not");
    check_params(check, command, catalog_text(&template, TEMPLATE_CONTENT));
}

size_t city_message_check(struct txn *txn, const struct city_put_command *command,
                          struct message_fault faults[MESSAGE_FAULTS_MAX])
{
    struct check check = {.faults = faults};
    struct catalog_thing company;

    assert(command->param_count <= TEMPLATE_NAMES_MAX);
    if (command->company.data != NULL &&
        (!catalog_find(txn, CATALOG_COMPANY, command->company, &company) ||
         company.status == CATALOG_VOID))
        field_fault(&check, "company", "there is no such company");
    if (check_given(&check, command))
        check_template(&check, txn, command);
    return check.count;
}

enum outcome city_message_outcome(const struct message_fault *faults, size_t count)
{
    enum outcome outcome = count == 0 ? OUTCOME_OK : faults[0].outcome;

    for (size_t i = 1; i < count; i++) {
        if (faults[i].outcome != outcome)
            return OUTCOME_INVALID;
    }
    return outcome;
}
