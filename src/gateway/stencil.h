/* Stencils: texts of a provider's configuration with values in braces, `+{to|digits}`. Read once,
 * when the configuration is, and written for each request. `{{` and `}}` stand for braces. What may
 * be named are the rows of value.def, and the configuration's own variables and secrets, which are
 * the same for every message and so become part of the stencil. */
#ifndef SMSD_GATEWAY_STENCIL_H
#define SMSD_GATEWAY_STENCIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct arena;
struct buffer;
struct json_errors;
struct stencil;

enum stencil_context {
    STENCIL_SEND = 1,
    STENCIL_QUERY = 2,
    STENCIL_SIGN = 4,
    STENCIL_CHECK = 8,
};

enum stencil_value {
#define VALUE(NAME, name, contexts, prose) VALUE_##NAME,
#include "gateway/value.def"
#undef VALUE
    VALUE_COUNT
};

/* What the values are at the moment; those that are not there count as empty. */
struct stencil_values {
    struct text texts[VALUE_COUNT];
};

/* A variable or secret of the configuration. */
struct stencil_variable {
    struct text name, value;
};

/* What a stencil may name. */
struct stencil_names {
    unsigned contexts; /* of enum stencil_context */
    const struct stencil_variable *variables;
    size_t variable_count;
};

/* How each value is escaped for where the stencil stands, unless its filters end with `raw`. What
 * stands outside of braces is never. */
enum stencil_escape { ESCAPE_NONE, ESCAPE_URL, ESCAPE_JSON, ESCAPE_XML, ESCAPE_HEADER };

/* Lives in the arena. NULL: the text is no stencil, and `errors` say why at `pointer`. */
const struct stencil *stencil_read(struct arena *arena, struct text source,
                                   const struct stencil_names *names, const char *pointer,
                                   struct json_errors *errors);
void stencil_write(const struct stencil *stencil, const struct stencil_values *values,
                   enum stencil_escape escape, struct buffer *to);
/* Is it one value alone, filtered as `number`? */
bool stencil_is_number(const struct stencil *stencil);
/* Does it name this value? */
bool stencil_has(const struct stencil *stencil, enum stencil_value value);

#endif
