/* The members of `data` come from rows, and what stands in them from the webhook's own row: what
 * was so when it happened, whatever has become of it since. */
#include "gateway/webhook_payload.h"

#include <stdio.h>

#include "engine/webhook.h"
#include "json/write.h"

static const char *const types[] = {
#define WEBHOOK_TYPE(name, number, text) [number] = text,
#include "engine/webhook_type.def"
#undef WEBHOOK_TYPE
};

enum form { FORM_ID, FORM_RECEIVED_ID, FORM_CAMPAIGN, FORM_TEXT, FORM_INT, FORM_MOBILE, FORM_TIME };
enum from { FROM_SUBJECT, FROM_VALUE, FROM_TEXT, FROM_CONTENT, FROM_AT };

static const struct field {
    enum webhook_type type;
    const char *name;
    enum form form;
    enum from from;
    int index;
} fields[] = {
#define WEBHOOK_FIELD(type, name, form, from, index)                                               \
    {WEBHOOK_##type, name, FORM_##form, FROM_##from, index},
#include "engine/webhook_field.def"
#undef WEBHOOK_FIELD
};

enum { FIELD_COUNT = sizeof fields / sizeof *fields };

const char *webhook_type_text(const struct webhook *webhook)
{
    return types[webhook->row.type];
}

static int64_t number_of(const struct field *field, const struct webhook *webhook)
{
    switch (field->from) {
    case FROM_SUBJECT:
        return (int64_t)webhook->row.subject;
    case FROM_AT:
        return webhook->row.at_ms;
    default:
        return webhook->row.values[field->index];
    }
}

static struct text text_of(const struct field *field, const struct webhook *webhook)
{
    return field->from == FROM_CONTENT ? webhook->content : webhook->texts[field->index];
}

static void write_id(struct json_writer *w, const struct field *field, const char *prefix,
                     const struct webhook *webhook)
{
    json_id_or_null(w, field->name, prefix, (uint64_t)number_of(field, webhook));
}

static void write_field(struct json_writer *w, const struct field *field,
                        const struct webhook *webhook)
{
    struct text text;
    char mobile[24];

    switch (field->form) {
    case FORM_TEXT:
        text = text_of(field, webhook);
        json_text(w, field->name, text.data, text.size);
        break;
    case FORM_ID:
        write_id(w, field, "msg_", webhook);
        break;
    case FORM_RECEIVED_ID:
        write_id(w, field, "rcv_", webhook);
        break;
    case FORM_CAMPAIGN:
        json_id(w, field->name, "cmp_", (uint64_t)number_of(field, webhook));
        break;
    case FORM_INT:
        json_int(w, field->name, number_of(field, webhook));
        break;
    case FORM_TIME:
        json_time(w, field->name, number_of(field, webhook));
        break;
    case FORM_MOBILE:
        snprintf(mobile, sizeof mobile, "+%lld", (long long)number_of(field, webhook));
        json_string(w, field->name, mobile);
        break;
    }
}

void webhook_write_data(struct json_writer *w, const struct webhook *webhook)
{
    json_object_begin(w, "data");
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (fields[i].type == webhook->row.type)
            write_field(w, &fields[i], webhook);
    }
    json_object_end(w);
}

void webhook_write_payload(struct buffer *to, const struct webhook *webhook)
{
    struct json_writer w = json_writer(to);

    json_object_begin(&w, NULL);
    json_string(&w, "type", webhook_type_text(webhook));
    json_time(&w, "timestamp", webhook->row.at_ms);
    webhook_write_data(&w, webhook);
    json_object_end(&w);
}
