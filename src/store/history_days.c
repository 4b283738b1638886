/* The days of history, see history_days.h: an array in order, looked up by halving, under a mutex,
 * since the loop asks while the history's thread changes it. */
#include "store/history_days.h"

#include <assert.h>
#include <string.h>

#include "base/metric.h"

void history_days_init(struct history_days *days)
{
    days->count = 0;
    pthread_mutex_init(&days->mutex, NULL);
}

void history_days_release(struct history_days *days)
{
    pthread_mutex_destroy(&days->mutex);
}

/* Below, with the mutex locked. Of the first that is not before `day`. */
static size_t place_of(const struct history_days *days, uint32_t day)
{
    size_t low = 0, high = days->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (days->items[middle].day < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct history_days *days, size_t place, uint32_t day)
{
    return place < days->count && days->items[place].day == day;
}

static void show(const struct history_days *days)
{
    size_t bytes = 0;

    for (size_t i = 0; i < days->count; i++)
        bytes += days->items[i].bytes;
    metric_set(METRIC_HISTORY_DAYS, (int64_t)days->count);
    metric_set(METRIC_HISTORY_BYTES, (int64_t)bytes);
}

void history_days_show(struct history_days *days)
{
    pthread_mutex_lock(&days->mutex);
    show(days);
    pthread_mutex_unlock(&days->mutex);
}

void history_days_note(struct history_days *days, uint32_t day, size_t bytes)
{
    pthread_mutex_lock(&days->mutex);
    size_t place = place_of(days, day);
    if (!is_at(days, place, day)) {
        assert(days->count < HISTORY_DAYS_MAX);
        memmove(&days->items[place + 1], &days->items[place],
                (days->count - place) * sizeof *days->items);
        days->count++;
    }
    days->items[place] = (struct history_day_file){day, bytes};
    show(days);
    pthread_mutex_unlock(&days->mutex);
}

void history_days_forget(struct history_days *days, uint32_t day)
{
    pthread_mutex_lock(&days->mutex);
    size_t place = place_of(days, day);
    assert(is_at(days, place, day));
    days->count--;
    memmove(&days->items[place], &days->items[place + 1],
            (days->count - place) * sizeof *days->items);
    show(days);
    pthread_mutex_unlock(&days->mutex);
}

bool history_days_has(struct history_days *days, uint32_t day)
{
    return history_days_any(days, day, day);
}

bool history_days_any(struct history_days *days, uint32_t first, uint32_t last)
{
    pthread_mutex_lock(&days->mutex);
    size_t place = place_of(days, first);
    bool is_there = place < days->count && days->items[place].day <= last;
    pthread_mutex_unlock(&days->mutex);
    return is_there;
}

bool history_days_next(struct history_days *days, bool up, uint32_t day, uint32_t *found)
{
    pthread_mutex_lock(&days->mutex);
    size_t place = place_of(days, day);
    if (!up && !is_at(days, place, day))
        place--; /* wraps where there is none before it */
    bool is_there = place < days->count;
    if (is_there)
        *found = days->items[place].day;
    pthread_mutex_unlock(&days->mutex);
    return is_there;
}

size_t history_days_list(struct history_days *days, uint32_t list[HISTORY_DAYS_MAX])
{
    pthread_mutex_lock(&days->mutex);
    size_t count = days->count;
    for (size_t i = 0; i < count; i++)
        list[i] = days->items[i].day;
    pthread_mutex_unlock(&days->mutex);
    return count;
}
