/* A template is read token by token, left to right, by the one function that checking and rendering
 * share, so that what passes the check is what is rendered. Parameters are few: each is looked for
 * among the others by comparing. */
#include "engine/template.h"

#include <assert.h>
#include <string.h>

struct token {
    bool is_placeholder;
    struct text text; /* the placeholder's name, or literal bytes */
};

static bool is_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* `at` is at a { that is not doubled. */
static enum template_fault read_placeholder(const char **at, const char *end, struct token *token)
{
    const char *name = *at + 1;
    const char *next = name;
    while (next < end && is_of_name(*next))
        next++;
    size_t size = (size_t)(next - name);
    if (next < end && *next == '}' && size >= 1 && size <= TEMPLATE_NAME_MAX) {
        *token = (struct token){true, {name, size}};
        *at = next + 1;
        return TEMPLATE_OK;
    }
    while (next < end && *next != '}' && *next != '{')
        next++;
    return next < end && *next == '}' ? TEMPLATE_BAD_NAME : TEMPLATE_UNCLOSED;
}

/* The token at `*at`, before `end`; `*at` moves behind it. With a fault it stays. */
static enum template_fault next_token(const char **at, const char *end, struct token *token)
{
    const char *first = *at, *next = first;
    if (*first == '{' || *first == '}') {
        if (first + 1 == end || first[1] != *first)
            return *first == '{' ? read_placeholder(at, end, token) : TEMPLATE_UNOPENED;
        *token = (struct token){false, {first, 1}};
        *at = first + 2;
        return TEMPLATE_OK;
    }
    while (next < end && *next != '{' && *next != '}')
        next++;
    *token = (struct token){false, {first, (size_t)(next - first)}};
    *at = next;
    return TEMPLATE_OK;
}

static bool has_name(const struct template_names *names, struct text name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (text_equals(names->names[i], name))
            return true;
    }
    return false;
}

/* False: there is no room for one more. */
static bool add_name(struct template_names *names, struct text name)
{
    if (has_name(names, name))
        return true;
    if (names->count == TEMPLATE_NAMES_MAX)
        return false;
    names->names[names->count++] = name;
    return true;
}

enum template_fault template_check(struct text content, struct template_names *names, size_t *at)
{
    struct template_names own;
    const char *next = content.data, *end = content.data + content.size;
    struct token token;
    size_t unused;

    names = names != NULL ? names : &own;
    at = at != NULL ? at : &unused;
    names->count = 0;
    *at = TEMPLATE_BYTES_MAX;
    if (content.size > TEMPLATE_BYTES_MAX)
        return TEMPLATE_CONTENT_TOO_LONG;
    while (next < end) {
        *at = (size_t)(next - content.data);
        enum template_fault fault = next_token(&next, end, &token);
        if (fault != TEMPLATE_OK)
            return fault;
        if (token.is_placeholder && !add_name(names, token.text))
            return TEMPLATE_TOO_MANY;
    }
    return TEMPLATE_OK;
}

const char *template_fault_text(enum template_fault fault)
{
    static const char *const texts[] = {
#define FAULT(name, number, prose) [number] = (prose),
#include "engine/template_fault.def"
#undef FAULT
    };
    assert(fault >= 1 && fault < sizeof texts / sizeof *texts);
    return texts[fault];
}

static const struct template_param *find_param(const struct template_param *params, size_t count,
                                               struct text name)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equals(params[i].name, name))
            return &params[i];
    }
    return NULL;
}

static enum template_render compare_names(const struct template_names *placeholders,
                                          const struct template_param *params, size_t count,
                                          struct template_refusal *refusal)
{
    refusal->missing.count = refusal->unknown.count = 0;
    for (size_t i = 0; i < placeholders->count; i++) {
        if (find_param(params, count, placeholders->names[i]) == NULL)
            add_name(&refusal->missing, placeholders->names[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (!has_name(placeholders, params[i].name))
            add_name(&refusal->unknown, params[i].name);
    }
    if (refusal->missing.count != 0)
        return TEMPLATE_MISSING;
    return refusal->unknown.count != 0 ? TEMPLATE_UNKNOWN : TEMPLATE_RENDERED;
}

enum template_render template_render(struct text content, const struct template_param *params,
                                     size_t params_count, char *to, size_t to_size, size_t *size,
                                     struct template_refusal *refusal)
{
    struct template_names placeholders;
    enum template_fault fault = template_check(content, &placeholders, NULL);
    assert(fault == TEMPLATE_OK);
    enum template_render result = compare_names(&placeholders, params, params_count, refusal);
    if (result != TEMPLATE_RENDERED)
        return result;

    const char *at = content.data, *end = content.data + content.size;
    struct token token;
    *size = 0;
    while (at < end) {
        fault = next_token(&at, end, &token);
        assert(fault == TEMPLATE_OK);
        struct text piece = token.text;
        if (token.is_placeholder)
            piece = find_param(params, params_count, token.text)->value;
        if (piece.size > to_size - *size)
            return TEMPLATE_TOO_LONG;
        if (piece.size != 0)
            memcpy(to + *size, piece.data, piece.size);
        *size += piece.size;
    }
    return TEMPLATE_RENDERED;
}

void template_find_places(struct text content, const struct template_param *params,
                          size_t params_count, struct text name, struct template_places *places)
{
    const char *at = content.data, *end = content.data + content.size;
    struct token token;

    *places = (struct template_places){.count = 0};
    while (at < end) {
        const struct template_param *param = NULL;
        enum template_fault fault = next_token(&at, end, &token);
        assert(fault == TEMPLATE_OK);
        if (token.is_placeholder && text_equals(token.text, name)) {
            if (places->count < TEMPLATE_PLACES_MAX)
                places->at[places->count] = places->size;
            places->count++;
        }
        if (token.is_placeholder)
            param = find_param(params, params_count, token.text);
        if (param != NULL)
            places->size += param->value.size;
        else if (!token.is_placeholder)
            places->size += token.text.size;
    }
}
