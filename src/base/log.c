/* The log. It owns one file descriptor, whose number never changes: reopening puts the new file
 * under the old number (dup2), so that threads in the middle of a write need no lock. A line is
 * made on the stack, in a space that can not overflow: what does not fit is cut, never the line's
 * own syntax. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/digits.h"
#include "base/error.h"
#include "base/time_text.h"
#include "base/utf8.h"

static _Atomic int log_fd = STDERR_FILENO;
static _Atomic enum log_level log_level = LOG_INFO;
static char log_path[PATH_MAX]; /* "" is stderr */

static const char *const level_names[] = {"debug", "info", "warning", "error"};

/* Kept free for what closes a line. */
#define LINE_END    ",\"cut\":true}\n"
#define LINE_ROOM   (LOG_LINE_MAX - sizeof(LINE_END) - 1)
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

struct line {
    char data[LOG_LINE_MAX];
    size_t size;
    bool is_cut;
};

/* A text's closing quote may stand in the one byte behind LINE_ROOM. */
static size_t room(const struct line *line)
{
    return line->size < LINE_ROOM ? LINE_ROOM - line->size : 0;
}

/* Puts all of it or nothing. */
static bool put(struct line *line, const char *data, size_t size)
{
    if (size > room(line)) {
        line->is_cut = true;
        return false;
    }
    memcpy(line->data + line->size, data, size);
    line->size += size;
    return true;
}

static bool put_control(struct line *line, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    return put(line, text, sizeof text);
}

/* One character of a text, escaped; `*at` moves behind it. False when there is no room. */
static bool put_character(struct line *line, const char **at, const char *end)
{
    const char *from = *at;
    unsigned char c = (unsigned char)*from;
    size_t length = utf8_length(from, end);
    *at += length == 0 ? 1 : length;
    if (length == 0)
        return put(line, REPLACEMENT, 3);
    if (c == '"' || c == '\\')
        return put(line, (const char[]){'\\', (char)c}, 2);
    if (c < 0x20 || c == 0x7f)
        return put_control(line, c);
    return put(line, from, length);
}

/* In quotes; the closing one always has room, because LINE_ROOM leaves a byte more than LINE_END
 * needs. */
static void put_text(struct line *line, const char *text, size_t size)
{
    if (!put(line, "\"", 1))
        return;
    for (const char *at = text; at != text + size;) {
        if (!put_character(line, &at, text + size))
            break;
    }
    line->data[line->size++] = '"';
}

static void put_number(struct line *line, int64_t number)
{
    char text[DIGITS_MAX];
    put(line, text, digits_put_int(text, number));
}

/* "+8613812345678" as "+861***5678"; a short one shows its last two digits only. */
static void put_mobile(struct line *line, const char *mobile)
{
    enum { FIRST = 4, LAST = 4, SHORT = 10 };
    char text[FIRST + 3 + LAST];
    size_t size = strlen(mobile);
    size_t first = size > SHORT ? FIRST : 0;
    size_t last = size > SHORT ? LAST : size > 4 ? 2 : 0;
    memcpy(text, mobile, first);
    memset(text + first, '*', 3);
    memcpy(text + first + 3, mobile + size - last, last);
    put_text(line, text, first + 3 + last);
}

static void put_field(struct line *line, const struct log_field *field)
{
    if (field->kind != LOG_FIELD_NUMBER && field->text == NULL)
        return;
    size_t name_size = strlen(field->name);
    if (room(line) < name_size + DIGITS_MAX + 8) { /* no field without its value */
        line->is_cut = true;
        return;
    }
    put(line, ",\"", 2);
    put(line, field->name, name_size);
    put(line, "\":", 2);
    if (field->kind == LOG_FIELD_NUMBER)
        put_number(line, field->number);
    else if (field->kind == LOG_FIELD_MOBILE)
        put_mobile(line, field->text);
    else
        put_text(line, field->text, strlen(field->text));
}

static void begin_line(struct line *line, enum log_level level, const char *event)
{
    struct timespec now;
    char time[TIME_TEXT_SIZE];
    clock_gettime(CLOCK_REALTIME, &now);
    time_format(time, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    line->size = 0;
    line->is_cut = false;
    put(line, "{\"time\":", 8);
    put_text(line, time, sizeof time);
    put_field(line, &LOG_TEXT("level", level_names[level]));
    put_field(line, &LOG_TEXT("event", event));
}

/* A log that can not be written to is no reason to stop: the line is lost. */
static void write_once(int fd, const char *data, size_t size)
{
    ssize_t written;
    do {
        written = write(fd, data, size);
    } while (written < 0 && errno == EINTR);
}

static void end_line(struct line *line)
{
    const char *end = line->is_cut ? LINE_END : "}\n";
    size_t size = strlen(end);
    memcpy(line->data + line->size, end, size);
    write_once(log_fd, line->data, line->size + size);
}

void log_fields(enum log_level level, const char *event, const struct log_field *fields, int count)
{
    if (!log_is_on(level))
        return;
    int saved_errno = errno; /* so that a failure may be logged before it is looked at */
    struct line line;
    begin_line(&line, level, event);
    for (int i = 0; i < count; i++)
        put_field(&line, &fields[i]);
    end_line(&line);
    errno = saved_errno;
}

void log_set_level(enum log_level level)
{
    atomic_store(&log_level, level);
}

int log_level_of(const char *name)
{
    for (int i = 0; i < (int)(sizeof level_names / sizeof *level_names); i++) {
        if (strcmp(level_names[i], name) == 0)
            return i;
    }
    return -1;
}

bool log_is_on(enum log_level level)
{
    return level >= atomic_load_explicit(&log_level, memory_order_relaxed);
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

static int error_from_errno(void)
{
    if (errno == EACCES || errno == EPERM)
        return ERR_PERMISSION;
    return errno == ENOSPC ? ERR_NO_SPACE : ERR_IO;
}

int log_open(const char *path, enum log_level level)
{
    int fd = STDERR_FILENO;
    if (path != NULL) {
        if (strlen(path) >= sizeof log_path)
            return ERR_TOO_LARGE;
        fd = open_file(path);
        if (fd < 0)
            return error_from_errno();
    }
    int old_fd = atomic_exchange(&log_fd, fd);
    if (old_fd != STDERR_FILENO)
        close(old_fd);
    memcpy(log_path, path != NULL ? path : "", path != NULL ? strlen(path) + 1 : 1);
    atomic_store(&log_level, level);
    return 0;
}

int log_reopen(void)
{
    if (log_path[0] == 0)
        return 0;
    int fd = open_file(log_path);
    if (fd < 0)
        return error_from_errno();
    int result = dup3(fd, log_fd, O_CLOEXEC) < 0 ? error_from_errno() : 0;
    close(fd);
    return result;
}

static const char *describe(int error)
{
    const char *text = error < 0 ? error_text(error) : strerrordesc_np(error);
    return text != NULL ? text : "unknown error";
}

/* For the eyes of who started it, when the log goes elsewhere. Not JSON: it is the last line of a
 * program. */
static void say_on_stderr(const char *what, const char *path, const char *reason)
{
    struct line line = {.size = 0};
    const char *const parts[] = {"smsd: ",
                                 what,
                                 path != NULL ? " " : "",
                                 path != NULL ? path : "",
                                 reason != NULL ? ": " : "",
                                 reason != NULL ? reason : ""};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        put(&line, parts[i], strlen(parts[i]));
    line.data[line.size++] = '\n';
    write_once(STDERR_FILENO, line.data, line.size);
}

_Noreturn void log_fatal(const char *what, const char *path, int error)
{
    const char *reason = error != 0 ? describe(error) : NULL;
    log_event(LOG_ERROR, "fatal", LOG_TEXT("what", what), LOG_TEXT("path", path),
              LOG_TEXT("reason", reason));
    if (log_fd != STDERR_FILENO)
        say_on_stderr(what, path, reason);
    _exit(70);
}
