/* What the load generator is asked to do: the command line, read and checked. */
#ifndef BENCH_LOAD_OPTIONS_H
#define BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { HEADERS_MAX = 16, STATUS_MAX = 599 };
enum item_form { ITEMS_ARRAY, ITEMS_NDJSON };

struct load_options {
    const char *name;
    const char *target; /* ADDRESS:PORT or unix:PATH */
    const char *request_path;
    const char *method, *path, *body;
    const char *headers[HEADERS_MAX];
    unsigned header_count;
    const char *command; /* Redis: the request is this, not HTTP */
    const char *histogram_path;

    unsigned connections, depth;
    bool is_burst, is_spinning, is_id_around;
    double seconds, warm_up_seconds;
    double rate;       /* requests a second; 0: as fast as replies come */
    uint64_t requests; /* in all; 0: until the time is over */
    unsigned items;    /* in a body; 0: the body is no batch */
    enum item_form item_form;

    uint64_t accounts, first;
    unsigned fresh_percent;
    uint64_t random;
    const char *ids_path;
    uint64_t id_uses;

    bool is_expected[STATUS_MAX + 1];
    const char *expected_text;
};

/* Prints why and exits with status 64 (EX_USAGE) on a wrong one. */
void options_read(struct load_options *options, int argc, char **argv);

#endif
