/* The history's thread, see history.h. It takes the first request in line, does a step of it (the
 * records of one day, or some hundred of them), and puts it at the end of the line again until it
 * is done. So a scan over a year and a look at one message share the thread.
 *
 * Few files are open at once, since each is a mapping and keeps the memory of its largest commit;
 * none after some seconds in which nobody asked. */
#include "store/history.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/crash_point.h"
#include "store/history_day.h"
#include "store/history_days.h"

enum {
    OPEN_MAX = 4,
    STEP_RECORDS = 256, /* looked at before others have their turn */
    IDLE_S = 5,
    TOLD_MAX = 16,          /* days whose failures are remembered */
    TOLD_AGAIN_S = 10 * 60, /* a day that goes on failing is told of again */
};

struct open_day {
    uint32_t day;
    struct history_day *file;
};

/* A day's failure that was logged, and those since that were not: whoever reads meets it anew. */
struct told {
    uint32_t day;
    int error;
    uint64_t at_ns; /* 0: none */
    uint64_t silent;
};

struct history {
    char directory[FILE_PATH_MAX];
    size_t map_bytes_max;
    pthread_t thread;
    bool runs;
    struct open_day open[OPEN_MAX]; /* the last used first; the thread's own */
    int open_count;
    struct told told[TOLD_MAX]; /* likewise; the oldest first out */
    int told_next;

    struct history_days days; /* changed by the thread alone */

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t wakes;
    struct history_request *first, **end;
    int count; /* in line, with the one that runs */
    bool stops;
};

bool history_has(struct history *history, uint32_t day_first, uint32_t day_last)
{
    return history_days_any(&history->days, day_first, day_last);
}

size_t history_days(struct history *history, uint32_t days[HISTORY_DAYS_MAX])
{
    return history_days_list(&history->days, days);
}

/* --- open files ----------------------------------------------------------------------------------
 */

static void close_day(struct history *history, int place)
{
    history_day_close(history->open[place].file);
    history->open_count--;
    memmove(&history->open[place], &history->open[place + 1],
            (size_t)(history->open_count - place) * sizeof *history->open);
}

static void close_days(struct history *history)
{
    while (history->open_count > 0)
        close_day(history, history->open_count - 1);
}

static void close_this_day(struct history *history, uint32_t day)
{
    for (int i = 0; i < history->open_count; i++) {
        if (history->open[i].day == day) {
            close_day(history, i);
            return;
        }
    }
}

static struct told *told_of(struct history *history, uint32_t day, int error)
{
    for (int i = 0; i < TOLD_MAX; i++) {
        if (history->told[i].at_ns != 0 && history->told[i].day == day &&
            history->told[i].error == error)
            return &history->told[i];
    }
    struct told *told = &history->told[history->told_next++ % TOLD_MAX];
    *told = (struct told){.day = day, .error = error};
    return told;
}

/* Each is counted; of those that are alike one is logged, and then one every ten minutes. */
static void log_failure(struct history *history, uint32_t day, int error, struct buffer *why)
{
    struct told *told = told_of(history, day, error);
    uint64_t now_ns = clock_monotonic_ns();
    char text[HISTORY_DAY_TEXT_SIZE];

    metric_add(METRIC_HISTORY_FAILURES, 1);
    if (told->at_ns != 0 && now_ns - told->at_ns < (uint64_t)TOLD_AGAIN_S * 1000000000) {
        told->silent++;
        return;
    }
    history_day_text(text, day);
    if (why->size == 0)
        buffer_append_text(why, error_text(error));
    buffer_append(why, "", 1);
    log_event(LOG_ERROR, "history_failed", LOG_TEXT("day", text), LOG_TEXT("reason", why->data),
              LOG_NUMBER("again", told->silent));
    told->at_ns = now_ns;
    told->silent = 0;
}

/* To the front. */
static int open_day(struct history *history, uint32_t day, struct history_day **file,
                    struct buffer *why)
{
    enum history_day_mode mode =
        history_days_has(&history->days, day) ? HISTORY_DAY_WRITE : HISTORY_DAY_MAKE;
    struct open_day opened = {.day = day};
    int place = 0, error = 0;

    while (place < history->open_count && history->open[place].day != day)
        place++;
    if (place < history->open_count) {
        opened.file = history->open[place].file;
    } else {
        error = history_day_open(&opened.file, history->directory, day, mode,
                                 history->map_bytes_max, why);
        if (error != 0)
            return error;
        if (history->open_count == OPEN_MAX)
            close_day(history, OPEN_MAX - 1);
        place = history->open_count++;
    }
    memmove(&history->open[1], &history->open[0], (size_t)place * sizeof *history->open);
    history->open[0] = opened;
    *file = opened.file;
    if (mode == HISTORY_DAY_MAKE)
        history_days_note(&history->days, day, history_day_bytes(opened.file));
    return 0;
}

/* --- steps: true when the request has ended ------------------------------------------------------
 */

static size_t records_of_day(const struct history_request *request, uint32_t day)
{
    size_t count = 0, left = request->record_count - request->appended;
    const struct history_record *records = request->records + request->appended;

    while (count < left && id_day(records[count].number) == day)
        count++;
    return count;
}

/* The records of one day. A day that fails does not keep the others from being appended. */
static bool append(struct history *history, struct history_request *request)
{
    struct history_record *records = request->records + request->appended;
    struct history_day *file;
    struct buffer why;
    uint32_t day;
    size_t count;
    int error;

    if (request->appended == request->record_count)
        return true;
    buffer_init(&why);
    day = id_day(records->number);
    count = records_of_day(request, day);
    error = !history_days_has(&history->days, day) && history->days.count == HISTORY_DAYS_MAX
                ? ERR_TOO_LARGE
                : 0;
    if (error == 0)
        error = open_day(history, day, &file, &why);
    if (error == 0)
        error = history_day_append(file, records, count, &why);
    if (error == 0) {
        history_days_note(&history->days, day, history_day_bytes(file));
    } else {
        close_this_day(history, day); /* LMDB may not go on after a commit that failed */
        log_failure(history, day, error, &why);
        request->error = error;
    }
    for (size_t i = 0; i < count; i++)
        records[i].is_kept = error == 0;
    request->appended += count;
    buffer_release(&why);
    return request->appended == request->record_count;
}

/* Where the request goes on: READ at `last` and down, SCAN at `first` and up. */
static uint64_t place_in(const struct history_request *request)
{
    return request->kind == HISTORY_SCAN ? request->first : request->last;
}

enum shown {
    SHOWN_DAY,    /* nothing is left of this day */
    SHOWN_SOME,   /* more is left; others have their turn */
    SHOWN_ENOUGH, /* no more is wanted */
    SHOWN_ALL,    /* nothing is left of the range */
};

/* An enum shown, or an enum error. */
static int show_one(struct history_request *request, uint64_t number, const void *value,
                    size_t size)
{
    bool up = request->kind == HISTORY_SCAN;
    int result;

    if (number < request->first || number > request->last)
        return SHOWN_ALL;
    if (!up && request->examined++ == request->examined_max)
        return SHOWN_ENOUGH;
    result = request->on_record(request->context, number, value, size);
    request->reached = number;
    if (result != 0)
        return result < 0 ? result : SHOWN_ENOUGH;
    if (number == (up ? request->last : request->first))
        return SHOWN_ALL;
    if (up)
        request->first = number + 1;
    else
        request->last = number - 1;
    return SHOWN_SOME;
}

static int show(struct history_request *request, struct history_cursor *cursor)
{
    int result = SHOWN_SOME;

    for (int i = 0; i < STEP_RECORDS && result == SHOWN_SOME; i++) {
        const void *value;
        uint64_t number;
        size_t size;
        result = history_cursor_next(cursor, &number, &value, &size);
        if (result <= 0)
            return result == 0 ? SHOWN_DAY : result;
        result = show_one(request, number, value, size);
    }
    return result;
}

/* On to the next day. False: it is not in the range. */
static bool leave_day(struct history_request *request, uint32_t day)
{
    uint64_t begin = id_of_day(day);

    if (request->kind == HISTORY_SCAN) {
        request->first = id_of_day(day + INT64_C(1));
        return request->first <= request->last;
    }
    if (begin <= request->first)
        return false;
    request->last = begin - 1;
    return true;
}

/* The next day of the range that there is a file of. */
static bool find_day(struct history *history, const struct history_request *request, uint32_t *day)
{
    bool up = request->kind == HISTORY_SCAN;

    return request->first <= request->last &&
           history_days_next(&history->days, up, id_day(place_in(request)), day) &&
           (up ? *day <= id_day(request->last) : *day >= id_day(request->first));
}

static int show_day(struct history *history, struct history_request *request, uint32_t day)
{
    bool up = request->kind == HISTORY_SCAN;
    struct history_cursor *cursor;
    struct history_day *file;
    struct buffer why;
    int result;

    buffer_init(&why);
    result = open_day(history, day, &file, &why);
    if (result == 0)
        result = history_cursor_open(&cursor, file, up ? HISTORY_BY_NUMBER : request->index,
                                     request->by, up, place_in(request));
    if (result == 0) {
        result = show(request, cursor);
        history_cursor_close(cursor);
    }
    if (result < 0) {
        log_failure(history, day, result, &why);
        request->error = result;
    }
    buffer_release(&why);
    return result;
}

/* As many days as it may look through, and there are more. */
static bool is_enough(struct history *history, struct history_request *request)
{
    uint32_t next;

    if (request->kind != HISTORY_READ || ++request->days < request->days_max ||
        !find_day(history, request, &next))
        return false;
    request->reached = request->last + 1;
    return true;
}

static bool look(struct history *history, struct history_request *request)
{
    int result = SHOWN_ALL;
    uint32_t day;

    if (find_day(history, request, &day))
        result = show_day(history, request, day);
    if (result == SHOWN_SOME)
        return false;
    if (result == SHOWN_DAY && leave_day(request, day))
        return is_enough(history, request);
    if (result == SHOWN_DAY || result == SHOWN_ALL)
        request->reached = request->first;
    return true;
}

static bool drop(struct history *history, struct history_request *request)
{
    char path[FILE_PATH_MAX];
    struct buffer why;
    int error;

    if (!history_days_has(&history->days, request->day))
        return true;
    close_this_day(history, request->day);
    history_day_path(path, history->directory, request->day);
    crash_point("history.drop.before_unlink");
    error = unlink(path) != 0 && errno != ENOENT ? errno : file_sync_directory(history->directory);
    crash_point("history.drop.after_unlink");
    request->error = file_error(error);
    if (error == 0) {
        history_days_forget(&history->days, request->day);
    } else {
        buffer_init(&why);
        file_fail(&why, "remove", path, error);
        log_failure(history, request->day, request->error, &why);
        buffer_release(&why);
    }
    return true;
}

static bool step(struct history *history, struct history_request *request)
{
    switch (request->kind) {
    case HISTORY_APPEND:
        return append(history, request);
    case HISTORY_READ:
    case HISTORY_SCAN:
        return look(history, request);
    case HISTORY_DROP:
        return drop(history, request);
    }
    assert(!"a request that history.h does not name");
    return true;
}

/* --- the thread ----------------------------------------------------------------------------------
 */

static void add(struct history *history, struct history_request *request)
{
    request->behind = NULL;
    *history->end = request;
    history->end = &request->behind;
}

/* Called and returns with the mutex locked. */
static void run_first(struct history *history)
{
    struct history_request *request = history->first;
    bool stops = history->stops, is_done = true;

    history->first = request->behind;
    if (history->first == NULL)
        history->end = &history->first;
    pthread_mutex_unlock(&history->mutex);
    if (stops)
        request->error = ERR_IO;
    else
        is_done = step(history, request);
    pthread_mutex_lock(&history->mutex);
    if (!is_done) {
        add(history, request);
        return;
    }
    history->count--; /* before it is told: whoever is may ask again at once */
    pthread_mutex_unlock(&history->mutex);
    request->on_end(request->end_context, request->error); /* it may be gone afterwards */
    pthread_mutex_lock(&history->mutex);
}

/* Until there is something to do; files that nobody asks for are closed meanwhile. */
static void wait_for_work(struct history *history)
{
    struct timespec until;

    if (history->open_count == 0) {
        pthread_cond_wait(&history->wakes, &history->mutex);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_S;
    if (pthread_cond_timedwait(&history->wakes, &history->mutex, &until) == ETIMEDOUT)
        close_days(history);
}

static void *run(void *context)
{
    struct history *history = context;

    pthread_setname_np(pthread_self(), "history");
    pthread_mutex_lock(&history->mutex);
    for (;;) {
        if (history->first != NULL)
            run_first(history);
        else if (history->stops)
            break;
        else
            wait_for_work(history);
    }
    pthread_mutex_unlock(&history->mutex);
    close_days(history);
    return NULL;
}

static bool are_in_order(const struct history_record *records, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (records[i - 1].number >= records[i].number)
            return false;
    }
    return true;
}

int history_ask(struct history *history, struct history_request *request)
{
    bool has_room;

    assert(request->kind != HISTORY_APPEND ||
           (request->record_count <= HISTORY_APPEND_MAX &&
            are_in_order(request->records, request->record_count)));
    request->appended = 0;
    request->examined = request->days = 0;
    request->error = 0;
    request->reached = 0;
    pthread_mutex_lock(&history->mutex);
    has_room = history->count < HISTORY_REQUESTS_MAX && !history->stops;
    if (has_room) {
        history->count++;
        add(history, request);
        pthread_cond_signal(&history->wakes);
    }
    pthread_mutex_unlock(&history->mutex);
    return has_room ? 0 : -1;
}

/* --- opening and closing -------------------------------------------------------------------------
 */

/* What is under a first name was never a day's file. */
static void remove_unfinished(struct history *history, const char *name)
{
    static const char end[] = ".mdb.new";
    char path[FILE_PATH_MAX];
    size_t size = strlen(name);

    if (size < sizeof end || strcmp(name + size - (sizeof end - 1), end) != 0)
        return;
    file_path(path, history->directory, name);
    unlink(path);
}

static void find_file(struct history *history, const char *name)
{
    char path[FILE_PATH_MAX];
    struct stat stat_of;
    uint32_t day;

    if (!history_day_of_name(name, &day)) {
        remove_unfinished(history, name);
        return;
    }
    file_path(path, history->directory, name);
    if (stat(path, &stat_of) == 0 && history->days.count < HISTORY_DAYS_MAX)
        history_days_note(&history->days, day, (size_t)stat_of.st_size);
}

static int find_days(struct history *history, struct buffer *why)
{
    DIR *directory = opendir(history->directory);
    struct dirent *entry;

    if (directory == NULL)
        return file_fail(why, "read", history->directory, errno);
    while ((entry = readdir(directory)) != NULL)
        find_file(history, entry->d_name);
    closedir(directory);
    history_days_show(&history->days);
    return 0;
}

int history_open(struct history **opened, const struct history_options *options, struct buffer *why)
{
    struct history *history = calloc(1, sizeof *history);
    int error;

    assert(history != NULL);
    file_path(history->directory, options->directory, "");
    history->directory[strlen(history->directory) - 1] = '\0';
    history->map_bytes_max = options->map_bytes_max;
    history->end = &history->first;
    history_days_init(&history->days);
    pthread_mutex_init(&history->mutex, NULL);
    pthread_cond_init(&history->wakes, NULL);
    error = file_make_directory(history->directory);
    error =
        error != 0 ? file_fail(why, "make", history->directory, error) : find_days(history, why);
    if (error == 0) {
        int started = pthread_create(&history->thread, NULL, run, history);
        history->runs = started == 0;
        if (started != 0)
            error = file_fail(why, "start a thread for", history->directory, started);
    }
    if (error != 0) {
        history_close(history);
        return error;
    }
    *opened = history;
    return 0;
}

void history_stop(struct history *history)
{
    if (history == NULL || !history->runs)
        return;
    pthread_mutex_lock(&history->mutex);
    history->stops = true;
    pthread_cond_signal(&history->wakes);
    pthread_mutex_unlock(&history->mutex);
    pthread_join(history->thread, NULL);
    history->runs = false;
}

void history_close(struct history *history)
{
    if (history == NULL)
        return;
    assert(!history->runs);
    history_days_release(&history->days);
    pthread_mutex_destroy(&history->mutex);
    pthread_cond_destroy(&history->wakes);
    free(history);
}
