/* The body is laid out first, as often as there are items, because its length goes before it;
 * widths are fixed, so the length holds for every sending. */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "options.h"
#include "template.h"

enum { FILE_BYTES_MAX = 1 << 20 };

/* Pieces of a request file, or what flags gave instead. */
struct parts {
    const char *first_line; /* "POST /v1/charges" */
    size_t first_line_size;
    const char *headers; /* whole lines */
    size_t header_size;
    const char *body;
    size_t body_size;
};

static _Noreturn void refuse(const char *why, const char *what)
{
    fprintf(stderr, "load: %s: %.60s\n", why, what);
    exit(EX_USAGE);
}

static void add(struct template *to, const char *text, size_t size)
{
    const char *unknown = template_add(to, text, size);
    if (unknown != NULL)
        refuse("no such placeholder", unknown);
}

static void add_text(struct template *to, const char *text)
{
    add(to, text, strlen(text));
}

static void add_length(struct template *to, const char *before, size_t length)
{
    char text[64];
    snprintf(text, sizeof text, "%s%zu\r\n", before, length);
    add_text(to, text);
}

static char *file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = malloc(FILE_BYTES_MAX);
    if (file == NULL || text == NULL)
        refuse("cannot read", path);
    size_t size = fread(text, 1, FILE_BYTES_MAX - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* First line, header lines up to an empty one, the rest is the body, without its last newline. */
static struct parts parts_of_file(const char *path, const char *text)
{
    struct parts parts = {.first_line = text, .first_line_size = strcspn(text, "\n")};
    const char *at = text + parts.first_line_size;

    if (parts.first_line_size == 0 || memchr(text, ' ', parts.first_line_size) == NULL)
        refuse("no method and path in the first line", path);
    parts.headers = at + (*at == '\n');
    at = parts.headers;
    while (*at != '\0' && *at != '\n') {
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    parts.header_size = (size_t)(at - parts.headers);
    parts.body = at + (*at == '\n');
    parts.body_size = strlen(parts.body);
    if (parts.body_size > 0 && parts.body[parts.body_size - 1] == '\n')
        parts.body_size--;
    return parts;
}

static void add_body(struct template *to, const struct parts *parts,
                     const struct load_options *options)
{
    bool is_array = options->items > 0 && options->item_form == ITEMS_ARRAY;
    unsigned count = options->items > 0 ? options->items : 1;

    if (is_array)
        add_text(to, "[");
    for (unsigned i = 0; i < count; i++) {
        if (is_array && i > 0)
            add_text(to, ",");
        add(to, parts->body, parts->body_size);
        if (options->items > 0 && !is_array)
            add_text(to, "\n");
    }
    if (is_array)
        add_text(to, "]");
}

/* Lines of a file end with LF, on the wire with CRLF. */
static void add_header_lines(struct template *to, const char *lines, size_t size)
{
    while (size > 0) {
        const char *line_end = memchr(lines, '\n', size);
        size_t line_size = line_end == NULL ? size : (size_t)(line_end - lines);
        add(to, lines, line_size);
        add_text(to, "\r\n");
        size_t taken = line_size + (line_end != NULL);
        lines += taken;
        size -= taken;
    }
}

static void lay_out_http(struct template *request, const struct parts *parts,
                         const struct load_options *options)
{
    bool is_unix = strncmp(options->target, "unix:", 5) == 0;
    struct template body;

    template_init(&body);
    add_body(&body, parts, options);
    add(request, parts->first_line, parts->first_line_size);
    add_text(request, " HTTP/1.1\r\nHost: ");
    add_text(request, is_unix ? "localhost" : options->target);
    add_text(request, "\r\n");
    for (unsigned i = 0; i < options->header_count; i++) {
        add_text(request, options->headers[i]);
        add_text(request, "\r\n");
    }
    add_header_lines(request, parts->headers, parts->header_size);
    if (body.size > 0)
        add_length(request, "Content-Length: ", body.size);
    add_text(request, "\r\n");
    template_append(request, &body);
    template_release(&body);
}

static struct parts parts_of_flags(const struct load_options *options, char *line, size_t line_size)
{
    const char *usual = options->body == NULL ? "GET" : "POST";
    const char *body = options->body == NULL ? "" : options->body;
    int size = snprintf(line, line_size, "%s %s", options->method == NULL ? usual : options->method,
                        options->path);
    if (size < 0 || (size_t)size >= line_size)
        refuse("the path is too long", options->path);
    return (struct parts){line, (size_t)size, "", 0, body, strlen(body)};
}

static void lay_out_command(struct template *request, const char *command)
{
    struct template words;
    size_t count = 0;

    template_init(&words);
    for (const char *at = command + strspn(command, " "); *at != '\0'; count++) {
        struct template word;
        size_t size = strcspn(at, " ");
        template_init(&word);
        add(&word, at, size);
        add_length(&words, "$", word.size);
        template_append(&words, &word);
        add_text(&words, "\r\n");
        template_release(&word);
        at += size;
        at += strspn(at, " ");
    }
    add_length(request, "*", count);
    template_append(request, &words);
    template_release(&words);
}

void request_read_ids(struct values *values, const char *path)
{
    FILE *file = fopen(path, "r");
    size_t capacity = 0, size = 0;
    char line[TEMPLATE_ID_SIZE + 2], *ids = NULL;

    if (file == NULL)
        refuse("cannot read", path);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strcspn(line, "\n") != TEMPLATE_ID_SIZE)
            refuse("an id has 17 characters", line);
        if (size + TEMPLATE_ID_SIZE > capacity) {
            capacity = capacity == 0 ? 4096 : capacity * 2;
            ids = realloc(ids, capacity);
            if (ids == NULL)
                abort();
        }
        memcpy(ids + size, line, TEMPLATE_ID_SIZE);
        size += TEMPLATE_ID_SIZE;
    }
    fclose(file);
    values->ids = ids;
    values->id_count = size / TEMPLATE_ID_SIZE;
}

void request_lay_out(struct template *request, const struct load_options *options)
{
    if (options->command != NULL) {
        lay_out_command(request, options->command);
    } else if (options->request_path != NULL) {
        char *text = file_text(options->request_path);
        struct parts parts = parts_of_file(options->request_path, text);
        lay_out_http(request, &parts, options);
        free(text);
    } else {
        char line[4096];
        struct parts parts = parts_of_flags(options, line, sizeof line);
        lay_out_http(request, &parts, options);
    }
}
