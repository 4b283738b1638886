/* A gateway's configuration: kept as the JSON that the client sent, without its spaces, and shown
 * with its secrets masked. A secret is the text of a member that has one of certain names, or any
 * text below such a member. Whoever reads a configuration, changes something else and sends it back
 * sends the mask, which then stands for the secret that is in the same place already. */
#include <string.h>

#include "api/catalog.h"
#include "gateway/config.h"

#define MASK TEXT("********")

struct copy {
    struct arena *arena;
    struct json_writer writer;
    struct json_errors *errors; /* NULL: it is shown, and secrets are masked */
};

static bool is_secret_member(struct json_text name)
{
    for (int i = 0; gateway_config_secrets[i] != NULL; i++) {
        if (strcmp(gateway_config_secrets[i], name.data) == 0)
            return true;
    }
    return false;
}

static const struct json_value *member_of(const struct json_value *object, struct json_text name)
{
    const struct json_value *member = object == NULL ? NULL : json_object_first(object);

    while (member != NULL && strcmp(json_name(member).data, name.data) != 0)
        member = json_next(member);
    return member;
}

/* A secret as it is to be kept. */
static struct text unmask(struct copy *copy, struct text secret, const struct json_value *before,
                          const char *pointer)
{
    struct json_text kept;

    if (!text_equals(secret, MASK))
        return secret;
    if (before != NULL && json_get_text(before, &kept))
        return text_of(kept);
    json_errors_add(copy->arena, copy->errors, pointer,
                    "is masked, and there is no secret yet that it could stand for");
    return secret;
}

static void copy_text(struct copy *copy, struct text text, const struct json_value *before,
                      const char *pointer, bool is_secret)
{
    if (is_secret && copy->errors == NULL)
        text = MASK;
    else if (is_secret)
        text = unmask(copy, text, before, pointer);
    json_text(&copy->writer, NULL, text.data, text.size);
}

static void copy_value(struct copy *copy, const struct json_value *value,
                       const struct json_value *before, const char *pointer, bool is_secret);

static void copy_object(struct copy *copy, const struct json_value *object,
                        const struct json_value *before, const char *pointer, bool is_secret)
{
    const struct json_value *member = json_object_first(object);

    json_object_begin(&copy->writer, NULL);
    for (; member != NULL; member = json_next(member)) {
        struct json_text name = json_name(member);
        json_member(&copy->writer, name.data, name.size);
        copy_value(copy, member, member_of(before, name),
                   json_pointer_name(copy->arena, pointer, name.data),
                   is_secret || is_secret_member(name));
    }
    json_object_end(&copy->writer);
}

static void copy_array(struct copy *copy, const struct json_value *array,
                       const struct json_value *before, const char *pointer, bool is_secret)
{
    const struct json_value *item = json_array_first(array);
    const struct json_value *old = before == NULL ? NULL : json_array_first(before);

    json_array_begin(&copy->writer, NULL);
    for (size_t i = 0; item != NULL; item = json_next(item), i++) {
        copy_value(copy, item, old, json_pointer_index(copy->arena, pointer, i), is_secret);
        old = old == NULL ? NULL : json_next(old);
    }
    json_array_end(&copy->writer);
}

/* NOLINTNEXTLINE(misc-no-recursion): json_parse bounds the depth */
static void copy_value(struct copy *copy, const struct json_value *value,
                       const struct json_value *before, const char *pointer, bool is_secret)
{
    struct json_text text;
    int64_t number;
    bool is_true;

    if (json_is_object(value))
        copy_object(copy, value, before, pointer, is_secret);
    else if (json_is_array(value))
        copy_array(copy, value, before, pointer, is_secret);
    else if (json_get_text(value, &text))
        copy_text(copy, text_of(text), before, pointer, is_secret);
    else if (json_get_int(value, &number))
        json_int(&copy->writer, NULL, number);
    else if (json_get_bool(value, &is_true))
        json_bool(&copy->writer, NULL, is_true);
    else if (json_is_null(value))
        json_null(&copy->writer, NULL);
    else
        json_errors_add(copy->arena, copy->errors, pointer, "must be a whole number");
}

struct text catalog_config_take(struct arena *arena, const struct json_value *config,
                                struct text before, struct json_errors *errors)
{
    struct buffer text;
    struct copy copy = {.arena = arena, .errors = errors};
    const struct json_value *old = NULL;
    struct text kept;
    const char *why;

    buffer_init(&text);
    copy.writer = json_writer(&text);
    if (before.data != NULL)
        old = json_parse(arena, before.data, before.size, &why);
    copy_value(&copy, config, old, "/gateway", false);
    kept = (struct text){arena_copy(arena, text.data, text.size), text.size};
    buffer_release(&text);
    return kept;
}

void catalog_config_write(struct json_writer *writer, const char *name, struct text kept,
                          struct arena *scratch)
{
    struct buffer text;
    struct copy copy = {.arena = scratch};
    const char *why;

    buffer_init(&text);
    copy.writer = json_writer(&text);
    copy_value(&copy, json_parse(scratch, kept.data, kept.size, &why), NULL, "", false);
    json_raw(writer, name, text.data, text.size);
    buffer_release(&text);
    arena_reset(scratch);
}
