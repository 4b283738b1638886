/* A program that calls, for the tests of the HTTP client: what to call comes on standard input, a
 * line each with tabs between the words, and what came of it goes to standard output.
 *
 *     caller [NAME=VALUE]…       options of the client
 *
 *     call NAME METHOD URL [header=NAME:VALUE | body=TEXT | big_body=BYTES | timeout_ms=N |
 *                           idempotent | fresh | public | on_done=LINES]…
 *     cancel NAME                        its end will not be told
 *     connections                        says "connections N"
 *     free                               frees the client, calls and all
 *
 * `public`: only public addresses may be connected to, otherwise all may. on_done=LINES are obeyed
 * inside of the call's on_done, semicolons between them and spaces between their words. The end of
 * a call is told as "done NAME error was_sent status detail headers body", headers as NAME:VALUE
 * with commas between and the body in hexadecimal. At the end of the input the client is freed; the
 * loop must then come to its end by itself. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/metric.h"
#include "http/client.h"

enum { WORDS_MAX = 32, CALLS_MAX = 4096, HEADERS_MAX = 8 };

struct named_call {
    char name[32];
    struct http_client_call *call; /* NULL: free */
    char *on_done;                 /* a line to obey; NULL: none */
};

static struct http_client *client;
static struct http_client_options options;
static struct named_call calls[CALLS_MAX];
static uv_poll_t input;
static struct buffer unread;

static void obey(char *line, char separator);

static void say_response(const struct named_call *named,
                         const struct http_client_response *response)
{
    printf("done\t%s\t%s\t%d\t%d\t%s\t", named->name, http_client_error_name(response->error),
           response->was_sent, response->status, response->detail);
    for (size_t i = 0; i < response->header_count; i++) {
        const struct http_client_header *header = &response->headers[i];
        printf("%s%.*s:%.*s", i == 0 ? "" : ",", (int)header->name.size, header->name.data,
               (int)header->value.size, header->value.data);
    }
    printf("\t");
    for (size_t i = 0; i < response->body.size; i++)
        printf("%02x", (unsigned char)response->body.data[i]);
    printf("\n");
    fflush(stdout);
}

static void on_done(void *context, const struct http_client_response *response)
{
    struct named_call *named = context;
    char *line = named->on_done;
    say_response(named, response);
    named->call = NULL;
    named->on_done = NULL;
    for (char *at = line, *end; at != NULL; at = end) {
        end = strchr(at, ';');
        if (end != NULL)
            *end++ = '\0';
        obey(at, ' ');
    }
    free(line);
}

static struct named_call *find(const char *name)
{
    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (calls[i].call != NULL && strcmp(calls[i].name, name) == 0)
            return &calls[i];
    }
    return NULL;
}

static struct named_call *free_place(void)
{
    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (calls[i].call == NULL)
            return &calls[i];
    }
    abort();
}

static struct text text_of(const char *text)
{
    return (struct text){text, strlen(text)};
}

static void add_header(struct http_client_request *request, struct http_client_header *headers,
                       char *text)
{
    char *colon = strchr(text, ':');
    assert(colon != NULL && request->header_count < HEADERS_MAX);
    headers[request->header_count++] =
        (struct http_client_header){{text, (size_t)(colon - text)}, text_of(colon + 1)};
    request->headers = headers;
}

/* What follows `prefix`, or NULL. */
static char *behind(char *word, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(word, prefix, size) == 0 ? word + size : NULL;
}

static void take_option(struct http_client_request *request, struct http_client_header *headers,
                        char *word, struct buffer *big)
{
    char *value;
    if ((value = behind(word, "header=")) != NULL) {
        add_header(request, headers, value);
    } else if ((value = behind(word, "body=")) != NULL) {
        request->body = text_of(value);
    } else if ((value = behind(word, "big_body=")) != NULL) {
        size_t size = strtoul(value, NULL, 10);
        memset(buffer_reserve(big, size), 'x', size);
        request->body = (struct text){big->data, size};
    } else if ((value = behind(word, "timeout_ms=")) != NULL) {
        request->timeout_ms = (uint32_t)strtoul(value, NULL, 10);
    } else if (strcmp(word, "idempotent") == 0) {
        request->is_idempotent = true;
    } else if (strcmp(word, "fresh") == 0) {
        request->is_fresh = true;
    } else if (strcmp(word, "public") == 0) {
        request->allow_private = false;
    } else {
        abort();
    }
}

static void call(char **words, int count)
{
    struct http_client_header headers[HEADERS_MAX];
    struct named_call *named = free_place();
    struct http_client_request request = {.method = text_of(words[1]),
                                          .url = text_of(words[2]),
                                          .allow_private = true,
                                          .on_done = on_done,
                                          .context = named};
    struct buffer big;
    buffer_init(&big);
    snprintf(named->name, sizeof named->name, "%s", words[0]);
    for (int i = 3; i < count; i++) {
        char *line = behind(words[i], "on_done=");
        if (line != NULL)
            named->on_done = strdup(line);
        else
            take_option(&request, headers, words[i], &big);
    }
    named->call = http_client_send(client, &request);
    buffer_release(&big);
}

static void forget(struct named_call *named)
{
    named->call = NULL;
    free(named->on_done);
    named->on_done = NULL;
}

static void free_client(void)
{
    if (client != NULL)
        http_client_free(client);
    client = NULL;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (calls[i].call != NULL)
            forget(&calls[i]);
    }
}

static void obey(char *line, char separator)
{
    char *words[WORDS_MAX] = {NULL};
    int count = 0;
    for (char *at = line; at != NULL && count < WORDS_MAX;) {
        words[count++] = at;
        at = strchr(at, separator);
        if (at != NULL)
            *at++ = '\0';
    }
    if (strcmp(words[0], "call") == 0) {
        call(words + 1, count - 1);
    } else if (strcmp(words[0], "cancel") == 0) {
        struct named_call *named = find(words[1]);
        http_client_cancel(named->call);
        forget(named);
    } else if (strcmp(words[0], "connections") == 0) {
        printf("connections\t%lld\n", (long long)metric_get(METRIC_HTTP_CLIENT_CONNECTIONS));
        fflush(stdout);
    } else if (strcmp(words[0], "free") == 0) {
        free_client();
    } else {
        abort();
    }
}

static char *copy_of(const char *data, size_t size)
{
    char *copy = malloc(size + 1);
    assert(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    char *end;
    assert(status == 0 && events != 0);
    char *to = buffer_reserve(&unread, 65536);
    ssize_t size = read(STDIN_FILENO, to, 65535);
    if (size <= 0) {
        uv_close((uv_handle_t *)poll, NULL);
        free_client();
        return;
    }
    unread.size += (size_t)size;
    while (unread.size != 0 && (end = memchr(unread.data, '\n', unread.size)) != NULL) {
        size_t used = (size_t)(end - unread.data) + 1;
        char *line = copy_of(unread.data, used - 1);
        buffer_consume(&unread, used);
        obey(line, '\t');
        free(line);
    }
}

static void set_option(char *word)
{
    static const struct {
        const char *name;
        uint32_t *value;
    } numbers[] = {
        {"connections_max=", &options.connections_max},
        {"connections_per_host_max=", &options.connections_per_host_max},
        {"waiting_max=", &options.waiting_max},
        {"connect_timeout_ms=", &options.connect_timeout_ms},
        {"timeout_ms=", &options.timeout_ms},
        {"idle_timeout_ms=", &options.idle_timeout_ms},
        {"response_head_bytes_max=", &options.response_head_bytes_max},
        {"response_bytes_max=", &options.response_bytes_max},
    };
    char *value = behind(word, "ca_file=");
    if (value != NULL)
        options.ca_file = value;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        value = behind(word, numbers[i].name);
        if (value != NULL)
            *numbers[i].value = (uint32_t)strtoul(value, NULL, 10);
    }
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    uv_loop_init(&loop);
    for (int i = 1; i < argc; i++)
        set_option(argv[i]);
    client = http_client_new(&loop, &options);
    buffer_init(&unread);
    uv_poll_init(&loop, &input, STDIN_FILENO);
    uv_poll_start(&input, UV_READABLE, on_input);
    uv_run(&loop, UV_RUN_DEFAULT);
    buffer_release(&unread);
    return uv_loop_close(&loop) == 0 ? 0 : 1;
}
