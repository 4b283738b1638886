/* The log of visits: which have changed since an image of the cities' memory was begun, so that
 * image and log together say what the rows say (CITY-7). One row for each command that changes
 * visits, of twelve bytes a visit, in the order of the commands. There is a log from the first
 * image on; a log that has grown beyond VISIT_LOG_ENTRIES_MAX, since no newer image was made, ends:
 * its image is then no longer good. */
#ifndef SMSD_ENGINE_VISIT_LOG_H
#define SMSD_ENGINE_VISIT_LOG_H

#include "engine/command.h"

struct engine;
struct txn;

enum { VISIT_LOG_ENTRIES_MAX = 16 << 20 }; /* 192 MiB */

/* Those of one command, gathered. */
struct visit_log {
    size_t count;
    struct visit_log_entry entries[SIGNALS_MAX];
};

/* Of visit_store alone: that visit has changed; `day` is last_day. It is put into the log, or,
 * while engine->visit_log is set, gathered there. */
void visit_log_note(struct engine *engine, uint32_t city, uint64_t mobile, int64_t day);
/* Between these, visits are gathered. */
void visit_log_begin(struct engine *engine, struct visit_log *log);
void visit_log_end(struct engine *engine);

struct visit_logged {
    uint64_t mobile;
    uint32_t city;
    uint32_t value; /* city_memory_value of its day */
};
/* Goes through a value; `*at` is 0 at first. False: that were all. */
bool visit_log_next(const void *value, size_t size, size_t *at, struct visit_logged *logged);

/* False: there is no image. */
bool city_image_find(struct txn *txn, struct city_image_row *row);

#endif
