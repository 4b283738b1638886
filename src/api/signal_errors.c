/* Errors of a slice are found when it is run, those of reading before: so they are put in order
 * when they are written. */
#include "api/signal_errors.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/metric.h"

static const struct {
    enum outcome outcome;
    enum metric metric;
} kinds[SIGNAL_ERROR_KINDS] = {
    {OUTCOME_MALFORMED_JSON, METRIC_SIGNALS_MALFORMED},
    {OUTCOME_INVALID, METRIC_SIGNALS_MALFORMED},
    {OUTCOME_UNKNOWN_FIELD, METRIC_SIGNALS_MALFORMED},
    {OUTCOME_CITY_NOT_FOUND, METRIC_SIGNALS_UNKNOWN_CITY},
    {OUTCOME_SIGNAL_LATE, METRIC_SIGNALS_LATE},
    {OUTCOME_SIGNAL_EARLY, METRIC_SIGNALS_EARLY},
    {OUTCOME_FORBIDDEN, METRIC_SIGNALS_FORBIDDEN},
};

void signal_errors_note(struct signal_errors *errors, uint64_t line, enum outcome outcome,
                        const char *pointer, const char *detail)
{
    struct signal_error *error = &errors->items[errors->count];
    size_t kind = 0;

    while (kinds[kind].outcome != outcome) {
        kind++;
        assert(kind < SIGNAL_ERROR_KINDS);
    }
    errors->of_kind[kind]++;
    if (errors->count == SIGNAL_ERRORS_MAX)
        return;
    errors->count++;
    error->line = line;
    error->outcome = outcome;
    error->detail[0] = '\0';
    if (detail != NULL)
        snprintf(error->detail, sizeof error->detail, "%s%s%s", pointer,
                 *pointer == '\0' ? "" : ": ", detail);
}

static uint64_t count_all(const struct signal_errors *errors)
{
    uint64_t count = 0;

    for (size_t i = 0; i < SIGNAL_ERROR_KINDS; i++)
        count += errors->of_kind[i];
    return count;
}

static int compare(const void *a, const void *b)
{
    const struct signal_error *x = a, *y = b;

    return (x->line > y->line) - (x->line < y->line);
}

static void write_one(const struct signal_error *error, struct json_writer *w)
{
    const struct outcome_info *info = &outcome_infos[error->outcome];

    json_object_begin(w, NULL);
    json_int(w, "line", (int64_t)error->line);
    json_string(w, "code", info->code);
    json_string(w, "detail", error->detail[0] != '\0' ? error->detail : info->title);
    json_object_end(w);
}

void signal_errors_write(struct signal_errors *errors, struct json_writer *w)
{
    json_int(w, "invalid", (int64_t)count_all(errors));
    json_object_begin(w, "invalid_by_code");
    for (size_t i = 0; i < SIGNAL_ERROR_KINDS; i++) {
        if (errors->of_kind[i] > 0)
            json_int(w, outcome_infos[kinds[i].outcome].code, (int64_t)errors->of_kind[i]);
    }
    json_object_end(w);
    qsort(errors->items, errors->count, sizeof errors->items[0], compare);
    json_array_begin(w, "errors");
    for (size_t i = 0; i < errors->count; i++)
        write_one(&errors->items[i], w);
    json_array_end(w);
}

void signal_errors_count(const struct signal_errors *errors)
{
    metric_add(METRIC_SIGNALS_INVALID, count_all(errors));
    for (size_t i = 0; i < SIGNAL_ERROR_KINDS; i++)
        metric_add(kinds[i].metric, errors->of_kind[i]);
}
