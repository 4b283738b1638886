/* The command line. Its help is the generator's manual, kept beside the option it tells of: one
 * table. */
#include "options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "reply.h"
#include "template.h"

static const struct described {
    const char *name, *argument, *help;
    int letter;
} described[] = {
    {"target", "ADDRESS:PORT|unix:PATH", "where to connect", 't'},
    {"request", "FILE", "the request: method and path, header lines, empty line, body", 'f'},
    {"method", "WORD", "instead of a file (default POST with a body, else GET)", 'm'},
    {"path", "PATH", "instead of a file", 'p'},
    {"body", "TEXT", "instead of a file", 'b'},
    {"header", "LINE", "one more header line; may be repeated", 'H'},
    {"command", "WORDS", "speak RESP: a Redis command, split at spaces", 'C'},
    {"connections", "N", "kept open throughout (default 256)", 'c'},
    {"depth", "N", "requests in flight on each (default 1)", 'd'},
    {"burst", NULL, "send the next N only when all N are answered, as wrk and redis-benchmark do",
     'B'},
    {"seconds", "S", "measured time (default 10)", 's'},
    {"warm-up", "S", "before it, not measured (default 1)", 'w'},
    {"rate", "R", "open loop: R requests a second, latency from the time each was due", 'r'},
    {"id-around", NULL, "behind the last line comes the first again", 'W'},
    {"spin", NULL, "never sleep: with a core of its own the server is spared the waking", 'z'},
    {"requests", "N", "stop after N requests instead; no warm-up (with {next}: seeding)", 'n'},
    {"items", "N", "the body is one item: send a batch of N", 'i'},
    {"item-form", "array|ndjson", "how a batch is written (default array)", 'F'},
    {"accounts", "N", "{account} is uniform over 0 … N-1 (default 1000)", 'a'},
    {"fresh-percent", "P", "so many draws of {account} are new: N, N+1 …", 'P'},
    {"first", "N", "where {next} begins (default 0)", 'N'},
    {"ids", "FILE", "{id} is a line of it, 17 characters; the next line when it was used", 'I'},
    {"id-uses", "N", "so often (default 1)", 'U'},
    {"random", "N", "seed of the draws (default 1)", 'S'},
    {"expect", "STATUS,…", "replies other than these are failures (default: all of 2xx)", 'e'},
    {"expect-text", "TEXT", "replies without it in their body are failures", 'T'},
    {"histogram", "FILE", "write all latencies there", 'O'},
    {"name", "TEXT", "printed with the result", 'l'},
    {"help", NULL, "this text", 'h'},
};
enum { DESCRIBED_COUNT = sizeof described / sizeof *described };

__attribute__((format(printf, 1, 2))) static _Noreturn void usage_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs(" (--help tells more)\n", stderr);
    va_end(arguments);
    exit(EX_USAGE);
}

static _Noreturn void print_help(void)
{
    puts("load: a load generator for HTTP/1.1 and Redis, one thread.\n"
         "\n"
         "Prints one line of JSON to stdout and one for people to stderr. Exits with 0 if every "
         "reply\n"
         "was as expected, 1 if any was not, 2 if a connection or the server failed.\n"
         "Placeholders in path, headers, body and command: {account} {next} (8 digits), {unique} "
         "(20), {id} (17).\n");
    for (unsigned i = 0; i < DESCRIBED_COUNT; i++)
        printf("  --%s %s\n        %s\n", described[i].name,
               described[i].argument == NULL ? "" : described[i].argument, described[i].help);
    exit(0);
}

static uint64_t whole(const char *name, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < least || value > most)
        usage_error("--%s: a number from %" PRIu64 " to %" PRIu64, name, least, most);
    return value;
}

static double decimal(const char *name, const char *text, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value <= most))
        usage_error("--%s: a number from 0 to %g", name, most);
    return value;
}

static void expect_only(struct load_options *options, const char *list)
{
    memset(options->is_expected, 0, sizeof options->is_expected);
    for (;;) {
        char *end;
        unsigned long status = strtoul(list, &end, 10);
        if (end == list || (*end != ',' && *end != '\0') || status < 200 || status > STATUS_MAX)
            usage_error("--expect: statuses from 200 to %d, separated by commas", STATUS_MAX);
        options->is_expected[status] = true;
        if (*end == '\0')
            return;
        list = end + 1;
    }
}

static enum item_form item_form(const char *text)
{
    if (strcmp(text, "array") == 0)
        return ITEMS_ARRAY;
    if (strcmp(text, "ndjson") == 0)
        return ITEMS_NDJSON;
    usage_error("--item-form: array or ndjson");
}

static void set_numeric(struct load_options *options, const struct described *option)
{
    const char *name = option->name;
    switch (option->letter) {
    case 'c':
        options->connections = (unsigned)whole(name, optarg, 1, 100000);
        break;
    case 'd':
        options->depth = (unsigned)whole(name, optarg, 1, 10000);
        break;
    case 's':
        options->seconds = decimal(name, optarg, 86400);
        break;
    case 'w':
        options->warm_up_seconds = decimal(name, optarg, 86400);
        break;
    case 'r':
        options->rate = decimal(name, optarg, 1e8);
        break;
    case 'n':
        options->requests = whole(name, optarg, 1, UINT64_MAX);
        break;
    case 'i':
        options->items = (unsigned)whole(name, optarg, 1, 1000000);
        break;
    case 'a':
        options->accounts = whole(name, optarg, 1, TEMPLATE_NUMBERS);
        break;
    case 'P':
        options->fresh_percent = (unsigned)whole(name, optarg, 0, 100);
        break;
    case 'N':
        options->first = whole(name, optarg, 0, TEMPLATE_NUMBERS - 1);
        break;
    case 'U':
        options->id_uses = whole(name, optarg, 1, UINT64_MAX);
        break;
    case 'S':
        options->random = whole(name, optarg, 0, UINT64_MAX);
        break;
    default:
        abort();
    }
}

static void set(struct load_options *options, const struct described *option)
{
    switch (option->letter) {
    case 't':
        options->target = optarg;
        break;
    case 'f':
        options->request_path = optarg;
        break;
    case 'm':
        options->method = optarg;
        break;
    case 'p':
        options->path = optarg;
        break;
    case 'b':
        options->body = optarg;
        break;
    case 'H':
        if (options->header_count == HEADERS_MAX)
            usage_error("--header: at most %d of them", HEADERS_MAX);
        options->headers[options->header_count++] = optarg;
        break;
    case 'C':
        options->command = optarg;
        break;
    case 'B':
        options->is_burst = true;
        break;
    case 'z':
        options->is_spinning = true;
        break;
    case 'W':
        options->is_id_around = true;
        break;
    case 'F':
        options->item_form = item_form(optarg);
        break;
    case 'e':
        expect_only(options, optarg);
        break;
    case 'T':
        options->expected_text = optarg;
        break;
    case 'I':
        options->ids_path = optarg;
        break;
    case 'O':
        options->histogram_path = optarg;
        break;
    case 'l':
        options->name = optarg;
        break;
    case 'h':
        print_help();
    default:
        set_numeric(options, option);
    }
}

static void check(const struct load_options *options)
{
    int sources =
        (options->request_path != NULL) + (options->path != NULL) + (options->command != NULL);
    if (options->target == NULL)
        usage_error("--target is missing");
    if (sources != 1)
        usage_error("one of --request, --path and --command is needed");
    if (options->request_path != NULL && (options->method != NULL || options->body != NULL))
        usage_error("--request has its own method and body");
    if (options->command != NULL && (options->items > 0 || options->header_count > 0))
        usage_error("--items and --header are for HTTP");
    if (options->requests == 0 && options->seconds <= 0)
        usage_error("--seconds: more than 0");
    if (strpbrk(options->name, "\"\\") != NULL)
        usage_error("--name: without quotes and backslashes");
    if (options->expected_text != NULL &&
        (*options->expected_text == '\0' || strlen(options->expected_text) > REPLY_TEXT_BYTES_MAX))
        usage_error("--expect-text: 1 to %d bytes", REPLY_TEXT_BYTES_MAX);
}

void options_read(struct load_options *options, int argc, char **argv)
{
    struct option table[DESCRIBED_COUNT + 1] = {0};
    int index = 0;

    *options = (struct load_options){.name = "load",
                                     .connections = 256,
                                     .depth = 1,
                                     .seconds = 10,
                                     .warm_up_seconds = 1,
                                     .accounts = 1000,
                                     .id_uses = 1,
                                     .random = 1};
    for (int status = 200; status < 300; status++)
        options->is_expected[status] = true;
    for (unsigned i = 0; i < DESCRIBED_COUNT; i++)
        table[i] = (struct option){described[i].name, described[i].argument != NULL, NULL, 0};
    for (int got; (got = getopt_long(argc, argv, "", table, &index)) != -1;) {
        if (got != 0)
            usage_error("that is no way to call it");
        set(options, &described[index]);
    }
    if (optind < argc)
        usage_error("what is \"%s\"?", argv[optind]);
    check(options);
}
