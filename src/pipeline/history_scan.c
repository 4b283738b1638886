/* Scans of history, see pipeline.h. Days become the numbers that were given out in them, since a
 * message's number is its moment; the request lives until its end has been told on the loop. */
#include <assert.h>
#include <stdlib.h>

#include "base/id.h"
#include "pipeline/pipeline.h"

struct history_scan {
    struct history_request request;
    struct pipeline_history_scan asked;
};

static int on_record(void *context, uint64_t number, const void *value, size_t value_size)
{
    struct history_scan *scan = context;

    return scan->asked.on_record(scan->asked.context, number, value, value_size);
}

static void on_end(void *context, int error)
{
    struct history_scan *scan = context;

    scan->asked.on_end(scan->asked.context, error);
    free(scan);
}

bool pipeline_has_history(struct pipeline *pipeline, uint32_t day_first, uint32_t day_last)
{
    struct history *history = store_history(pipeline_store(pipeline));

    return history != NULL && history_has(history, day_first, day_last);
}

int pipeline_history_scan(struct pipeline *pipeline, const struct pipeline_history_scan *asked)
{
    struct history_scan *scan = malloc(sizeof *scan);

    assert(scan != NULL && asked->day_first <= asked->day_last);
    *scan = (struct history_scan){.request = {.kind = HISTORY_SCAN,
                                              .first = id_of_day(asked->day_first),
                                              .last = id_of_day(asked->day_last + INT64_C(1)) - 1,
                                              .on_record = on_record,
                                              .on_end = on_end,
                                              .context = scan,
                                              .end_context = scan},
                                  .asked = *asked};
    if (pipeline_history(pipeline, &scan->request) == 0)
        return 0;
    free(scan);
    return -1;
}
