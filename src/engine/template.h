/* Templates: texts with named placeholders (SMS-5).
 *
 * "{name}" stands for a parameter; a name is 1 to 64 of A-Za-z0-9_ and may stand more than once.
 * "{{" and "}}" are the braces themselves. Values are put in as they are: a brace in one means
 * nothing, so no value can name another parameter.
 *
 * Pure functions over texts that others own; nothing is allocated. */
#ifndef SMSD_ENGINE_TEMPLATE_H
#define SMSD_ENGINE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum {
    TEMPLATE_BYTES_MAX = 8192, /* of a template's content */
    TEMPLATE_NAME_MAX = 64,
    TEMPLATE_NAMES_MAX = 32, /* different ones in a template */
};

enum template_fault {
    TEMPLATE_OK = 0,
#define FAULT(name, number, prose) TEMPLATE_##name = (number),
#include "engine/template_fault.def"
#undef FAULT
};

/* Some names: the first TEMPLATE_NAMES_MAX of those meant, each once, in the order in which they
 * were found. */
struct template_names {
    struct text names[TEMPLATE_NAMES_MAX];
    size_t count;
};

/* Whether `content` is a template, at PUT. `names` (may be NULL) gets its placeholders, pointing
 * into `content`. The first fault's byte is put into `at` (may be NULL). */
enum template_fault template_check(struct text content, struct template_names *names, size_t *at);

/* What is wrong, for people: "a { is not closed"; static. */
const char *template_fault_text(enum template_fault fault);

struct template_param {
    struct text name;
    struct text value;
};

enum template_render {
    TEMPLATE_RENDERED = 0,
    TEMPLATE_MISSING,  /* a placeholder has no parameter: `missing` has them all */
    TEMPLATE_UNKNOWN,  /* a parameter has no placeholder: `unknown` has them; nothing is missing */
    TEMPLATE_TOO_LONG, /* does not fit; the parameters are right */
};

/* Why a template was not rendered. Both lists are complete whichever is returned, up to
 * TEMPLATE_NAMES_MAX each; they point into the content and into the parameters. */
struct template_refusal {
    struct template_names missing;
    struct template_names unknown;
};

/* Writes the content with its placeholders filled into `to`, at most `to_size` bytes, and how many
 * these are to `size`. `content` must have passed template_check. Parameters: each name once. */
enum template_render template_render(struct text content, const struct template_param *params,
                                     size_t params_count, char *to, size_t to_size, size_t *size,
                                     struct template_refusal *refusal);

/* Where the values of a placeholder are in what template_render writes. */
enum { TEMPLATE_PLACES_MAX = 4 };
struct template_places {
    size_t count; /* how often it is there; only the first TEMPLATE_PLACES_MAX are told */
    size_t at[TEMPLATE_PLACES_MAX];
    size_t size; /* of all that is written; good if no parameter is missing */
};
void template_find_places(struct text content, const struct template_param *params,
                          size_t params_count, struct text name, struct template_places *places);

#endif
