/* What is wrong with the lines of a POST /v1/signals (CITY-12): all are counted by code, the first
 * hundred are told. They may be noted in any order of lines; those that were noted first count as
 * first. */
#ifndef SMSD_API_SIGNAL_ERRORS_H
#define SMSD_API_SIGNAL_ERRORS_H

#include "engine/outcome.h"
#include "json/write.h"

enum { SIGNAL_ERRORS_MAX = 100, SIGNAL_DETAIL_MAX = 120, SIGNAL_ERROR_KINDS = 7 };

struct signal_error {
    uint64_t line;
    enum outcome outcome;
    char detail[SIGNAL_DETAIL_MAX]; /* "": the outcome's title */
};

/* Zero is none. */
struct signal_errors {
    uint64_t of_kind[SIGNAL_ERROR_KINDS];
    struct signal_error items[SIGNAL_ERRORS_MAX];
    size_t count;
};

/* `detail` NULL: the outcome's title says it. The outcome is one that a line may have. */
void signal_errors_note(struct signal_errors *errors, uint64_t line, enum outcome outcome,
                        const char *pointer, const char *detail);
/* The members `invalid`, `invalid_by_code` and `errors`. Sorts them. */
void signal_errors_write(struct signal_errors *errors, struct json_writer *writer);
/* Adds all to the metrics. */
void signal_errors_count(const struct signal_errors *errors);

#endif
