/* Which days of history there are, and how large their files: known without opening them. One
 * thread changes it, any may ask. */
#ifndef SMSD_STORE_HISTORY_DAYS_H
#define SMSD_STORE_HISTORY_DAYS_H

#include <pthread.h>

#include "store/history.h"

struct history_days {
    pthread_mutex_t mutex;
    struct history_day_file {
        uint32_t day;
        size_t bytes;
    } items[HISTORY_DAYS_MAX]; /* ascending */
    size_t count;
};

void history_days_init(struct history_days *days);
void history_days_release(struct history_days *days);

/* There is this day, with so many bytes now. There must be room for one more. */
void history_days_note(struct history_days *days, uint32_t day, size_t bytes);
void history_days_forget(struct history_days *days, uint32_t day);
/* Tells metrics how many there are and how large. The two above do, too. */
void history_days_show(struct history_days *days);

bool history_days_has(struct history_days *days, uint32_t day);
/* One from `first` to `last`? */
bool history_days_any(struct history_days *days, uint32_t first, uint32_t last);
/* The first from `day` on, itself included, in the direction. */
bool history_days_next(struct history_days *days, bool up, uint32_t day, uint32_t *found);
/* All, ascending; returns how many. */
size_t history_days_list(struct history_days *days, uint32_t list[HISTORY_DAYS_MAX]);

#endif
