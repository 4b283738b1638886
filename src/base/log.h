/* Structured logs: one line of JSON an event, {"time","level","event",fields…}, to stderr or a file
 * that SIGHUP reopens. `event` is a fixed snake_case word; what varies goes into fields. Never a
 * secret, a bearer key or a full phone number (OPS-4): LOG_MOBILE keeps the first and the last
 * digits. Any thread may log; a line is one write(2) of at most LOG_LINE_MAX bytes (what a pipe
 * takes in one piece): a text that does not fit is cut and the line ends with "cut":true. */
#ifndef SMSD_BASE_LOG_H
#define SMSD_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

enum { LOG_LINE_MAX = 4096 };

enum log_field_kind { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_MOBILE };

/* A field: a name and a text or a number. Texts are escaped, bytes that are not UTF-8 become
 * U+FFFD; NULL is left out. */
struct log_field {
    const char *name;
    const char *text;
    int64_t number;
    enum log_field_kind kind;
};
#define LOG_TEXT(name, value)   ((struct log_field){(name), (value), 0, LOG_FIELD_TEXT})
#define LOG_NUMBER(name, value) ((struct log_field){(name), 0, (int64_t)(value), LOG_FIELD_NUMBER})
/* A phone number with its middle hidden: "+861***5678". */
#define LOG_MOBILE(name, value) ((struct log_field){(name), (value), 0, LOG_FIELD_MOBILE})

/* `path` NULL is stderr. Returns 0 or an enum error. Opening and reopening are for one thread. */
int log_open(const char *path, enum log_level level);
/* Opens the same path again, for log rotation. Keeps the old file if that fails. */
int log_reopen(void);
void log_set_level(enum log_level level);
/* By name; -1: there is no such level. */
int log_level_of(const char *name);
bool log_is_on(enum log_level level);
void log_fields(enum log_level level, const char *event, const struct log_field *fields, int count);

/* One field at least; without any: log_fields(level, event, NULL, 0). */
#define log_event(level, event, ...)                                                               \
    do {                                                                                           \
        const struct log_field log_fields_[] = {__VA_ARGS__};                                      \
        log_fields((level), (event), log_fields_,                                                  \
                   (int)(sizeof log_fields_ / sizeof *log_fields_));                               \
    } while (0)

/* For a failure after which smsd must not go on: logs, says it on stderr and exits with status 70
 * (EX_SOFTWARE) without running anything that could write. `what` names the operation, `path` may
 * be NULL, `error` is an errno value, an enum error or 0. */
_Noreturn void log_fatal(const char *what, const char *path, int error);

#endif
