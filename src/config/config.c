/* Values are kept by the rows of option.def: one table tells name, kind, bounds and place in struct
 * config. */
#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"

enum kind { KIND_TEXT, KIND_NUMBER, KIND_FLAG, KIND_TEXTS };

struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *initial;
    int64_t min, max;
    const char *unit, *prose;
};

static const struct option options[] = {
#define OPTION(name, kind, default, min, max, unit, prose)                                         \
    {#name, KIND_##kind, offsetof(struct config, name), default, min, max, unit, prose},
#include "config/option.def"
#undef OPTION
};

enum {
    OPTION_COUNT = sizeof options / sizeof *options,
    NAME_MAX_SIZE = 64,
    LINE_MAX_SIZE = 4096,
    HELP_COLUMNS = 72
};

/* Which options have a value of their own: the first source that names one wins. */
struct given {
    bool command_line[OPTION_COUNT];
    bool file[OPTION_COUNT];
};

static char *copy(const char *text)
{
    char *copied = strdup(text);

    assert(copied != NULL);
    return copied;
}

static void *place(struct config *config, const struct option *option)
{
    return (char *)config + option->offset;
}

static bool set_number(struct config *config, const struct option *option, const char *value)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(value, &end, 10);
    if (*value == '\0' || *end != '\0' || errno != 0 || number < option->min ||
        number > option->max)
        return false;
    *(int64_t *)place(config, option) = number;
    return true;
}

static bool set_flag(struct config *config, const struct option *option, const char *value)
{
    bool is_true = strcmp(value, "true") == 0;

    if (!is_true && strcmp(value, "false") != 0)
        return false;
    *(bool *)place(config, option) = is_true;
    return true;
}

static bool set_texts(struct config *config, const struct option *option, const char *value)
{
    struct config_texts *texts = place(config, option);

    if (*value == '\0' || texts->count == CONFIG_TEXTS_MAX)
        return false;
    texts->items[texts->count++] = copy(value);
    return true;
}

static bool set(struct config *config, const struct option *option, const char *value)
{
    char **text;

    switch (option->kind) {
    case KIND_TEXT:
        text = place(config, option);
        free(*text);
        *text = copy(value);
        return true;
    case KIND_NUMBER:
        return set_number(config, option, value);
    case KIND_FLAG:
        return set_flag(config, option, value);
    case KIND_TEXTS:
        return set_texts(config, option, value);
    }
    return false;
}

static int set_or_say(struct config *config, const struct option *option, const char *value,
                      struct buffer *why)
{
    if (set(config, option, value))
        return 0;
    buffer_append_format(why, "option %s cannot be \"%s\"", option->name, value);
    if (option->kind == KIND_NUMBER)
        buffer_append_format(why, ": it is a number from %lld to %lld", (long long)option->min,
                             (long long)option->max);
    return ERR_INVALID;
}

/* By name, hyphens standing for underscores. */
static int find(const char *name, size_t size)
{
    char wanted[NAME_MAX_SIZE];

    if (size >= sizeof wanted)
        return -1;
    for (size_t i = 0; i < size; i++)
        wanted[i] = (char)(name[i] == '-' ? '_' : name[i]);
    wanted[size] = '\0';
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].name, wanted) == 0)
            return i;
    }
    return -1;
}

static int read_arguments(struct config *config, struct given *given, int argc, char **argv,
                          struct buffer *why)
{
    for (int i = 0; i < argc; i++) {
        const char *name = argv[i], *value, *equals;
        int index, error;
        if (strncmp(name, "--", 2) != 0) {
            buffer_append_format(why, "unexpected argument %s", name);
            return ERR_INVALID;
        }
        name += 2;
        equals = strchr(name, '=');
        index = find(name, equals != NULL ? (size_t)(equals - name) : strlen(name));
        if (index < 0) {
            buffer_append_format(why, "unknown option %s", argv[i]);
            return ERR_INVALID;
        }
        if (equals != NULL)
            value = equals + 1;
        else if (options[index].kind == KIND_FLAG)
            value = "true";
        else
            value = i + 1 < argc ? argv[++i] : NULL;
        if (value == NULL) {
            buffer_append_format(why, "option %s needs a value", argv[i]);
            return ERR_INVALID;
        }
        given->command_line[index] = true;
        error = set_or_say(config, &options[index], value, why);
        if (error != 0)
            return error;
    }
    return 0;
}

static char *trim(char *text)
{
    size_t size;

    text += strspn(text, " \t");
    size = strlen(text);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
        text[--size] = '\0';
    return text;
}

static int read_line(struct config *config, struct given *given, char *line, struct buffer *why)
{
    char *equals, *name, *value;
    int index;

    line = trim(line);
    if (*line == '\0' || *line == '#')
        return 0;
    equals = strchr(line, '=');
    if (equals == NULL) {
        buffer_append_text(why, "it is not `name = value`");
        return ERR_INVALID;
    }
    *equals = '\0';
    name = trim(line);
    value = trim(equals + 1);
    index = find(name, strlen(name));
    if (index < 0) {
        buffer_append_format(why, "unknown option %s", name);
        return ERR_INVALID;
    }
    if (given->command_line[index])
        return 0;
    given->file[index] = true;
    return set_or_say(config, &options[index], value, why);
}

static int read_file(struct config *config, struct given *given, struct buffer *why)
{
    FILE *file = fopen(config->config, "re");
    char line[LINE_MAX_SIZE];
    int error = 0, number = 0;

    if (file == NULL) {
        buffer_append_format(why, "cannot read %s: %s", config->config, strerror(errno));
        return ERR_IO;
    }
    while (error == 0 && fgets(line, sizeof line, file) != NULL) {
        struct buffer reason;
        number++;
        buffer_init(&reason);
        error = read_line(config, given, line, &reason);
        if (error != 0)
            buffer_append_format(why, "%s line %d: %.*s", config->config, number, (int)reason.size,
                                 reason.data);
        buffer_release(&reason);
    }
    fclose(file);
    return error;
}

static void set_defaults(struct config *config, const struct given *given)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (given->command_line[i] || given->file[i])
            continue;
        if (!set(config, &options[i], options[i].initial))
            assert(!"a default that its own row does not allow");
    }
}

/* What a row by itself does not say. */
static int check(const struct config *config, struct buffer *why)
{
    if (log_level_of(config->log_level) < 0) {
        buffer_append_format(why, "option log_level cannot be \"%s\"", config->log_level);
        return ERR_INVALID;
    }
    if ((*config->tls_cert == '\0') != (*config->tls_key == '\0')) {
        buffer_append_text(why, "tls_cert and tls_key are given together or not at all");
        return ERR_INVALID;
    }
    return 0;
}

int config_read(struct config *config, int argc, char **argv, struct buffer *why)
{
    struct given given = {{false}, {false}};
    int error;

    *config = (struct config){.argument_count = argc, .arguments = argv};
    error = read_arguments(config, &given, argc, argv, why);
    if (error == 0 && config->config != NULL)
        error = read_file(config, &given, why);
    set_defaults(config, &given);
    return error == 0 ? check(config, why) : error;
}

/* May the change be made while smsd runs? A text that was empty, or becomes so, turns something on
 * or off: that takes a restart. */
static bool is_live(struct config *config, struct config *read, const struct option *option)
{
    static const char *const names[] = {
#define LIVE(name) #name,
#include "config/live.def"
#undef LIVE
    };
    if (option->kind == KIND_TEXT &&
        (**(char **)place(config, option) == '\0' || **(char **)place(read, option) == '\0'))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], option->name) == 0)
            return true;
    }
    return false;
}

static bool are_same_texts(const struct config_texts *a, const struct config_texts *b)
{
    if (a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++) {
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    }
    return true;
}

static bool is_same(struct config *a, struct config *b, const struct option *option)
{
    switch (option->kind) {
    case KIND_TEXT:
        return strcmp(*(char **)place(a, option), *(char **)place(b, option)) == 0;
    case KIND_NUMBER:
        return *(int64_t *)place(a, option) == *(int64_t *)place(b, option);
    case KIND_FLAG:
        return *(bool *)place(a, option) == *(bool *)place(b, option);
    case KIND_TEXTS:
        return are_same_texts(place(a, option), place(b, option));
    }
    return false;
}

/* The old value goes where the new one came from, to be released with it. */
static void exchange(struct config *a, struct config *b, const struct option *option)
{
    assert(option->kind == KIND_TEXT || option->kind == KIND_NUMBER);
    if (option->kind == KIND_TEXT) {
        char *text = *(char **)place(a, option);
        *(char **)place(a, option) = *(char **)place(b, option);
        *(char **)place(b, option) = text;
    } else {
        *(int64_t *)place(a, option) = *(int64_t *)place(b, option);
    }
}

int config_reload(struct config *config, struct buffer *why,
                  void (*on_changed)(void *context, const char *name, bool is_applied),
                  void *context)
{
    struct config read;
    int error = config_read(&read, config->argument_count, config->arguments, why);

    for (int i = 0; error == 0 && i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        if (is_same(config, &read, option))
            continue;
        bool is_applied = is_live(config, &read, option);
        if (is_applied)
            exchange(config, &read, option);
        on_changed(context, option->name, is_applied);
    }
    config_release(&read);
    return error;
}

void config_release(struct config *config)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (options[i].kind == KIND_TEXT)
            free(*(char **)place(config, &options[i]));
        if (options[i].kind == KIND_TEXTS) {
            struct config_texts *texts = place(config, &options[i]);
            for (int k = 0; k < texts->count; k++)
                free(texts->items[k]);
        }
    }
    *config = (struct config){0};
}

/* In lines of a terminal, behind six spaces. */
static void append_lines(struct buffer *to, const char *prose, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t end = at + HELP_COLUMNS < size ? at + HELP_COLUMNS : size;
        while (end < size && end > at && prose[end] != ' ')
            end--;
        if (end == at) /* a word longer than a line */
            end = size;
        buffer_append_literal(to, "\n      ");
        buffer_append(to, prose + at, end - at);
        at = end + 1;
    }
}

static void append_prose(struct buffer *to, const struct option *option)
{
    struct buffer prose;

    buffer_init(&prose);
    buffer_append_text(&prose, option->prose);
    if (option->kind == KIND_NUMBER)
        buffer_append_format(&prose, " From %lld to %lld %s; default %s.", (long long)option->min,
                             (long long)option->max, option->unit, option->initial);
    else if (*option->initial != '\0' && option->kind != KIND_FLAG)
        buffer_append_format(&prose, " Default %s.", option->initial);
    append_lines(to, prose.data, prose.size);
    buffer_release(&prose);
}

void config_help(struct buffer *to)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        buffer_append_text(to, "  --");
        for (const char *c = option->name; *c != '\0'; c++)
            buffer_append(to, *c == '_' ? "-" : c, 1);
        if (option->kind != KIND_FLAG)
            buffer_append_text(to, option->kind == KIND_NUMBER ? " N" : " TEXT");
        append_prose(to, option);
        buffer_append_text(to, "\n");
    }
}
