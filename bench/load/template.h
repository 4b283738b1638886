/* A request as bytes with spots in it that change from one sending to the next. Every placeholder
 * has a fixed width, so a request is laid out once and only its spots are written again before each
 * sending: lengths (Content-Length, RESP) never change.
 *
 *     {account}  8 digits: uniform over 0 … accounts-1, or, for a share of the draws, a number
 * never drawn before (accounts, accounts+1 …) {next}     8 digits: counts up by one at each spot
 * filled; begins again at 10^8 {unique}   20 hexadecimal digits, never the same twice, in this run
 * or another
 *     {id}       17 characters: the ids of a list in turn, each for so many spots filled; behind
 * the last one it goes on with the last
 *
 * A "{" that is not followed by a small letter is itself: JSON needs no escaping. */
#ifndef BENCH_LOAD_TEMPLATE_H
#define BENCH_LOAD_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spot_kind { SPOT_ACCOUNT, SPOT_NEXT, SPOT_UNIQUE, SPOT_ID };

enum { TEMPLATE_ID_SIZE = 17 };

struct spot {
    uint32_t offset;
    enum spot_kind kind;
};

struct template
{
    char *bytes;
    size_t size, capacity;
    struct spot *spots;
    size_t spot_count, spot_capacity;
};

/* What spots are filled from; one for all requests of a run. */
struct values {
    uint64_t random;
    uint64_t accounts;
    uint64_t fresh_next;
    uint64_t fresh_threshold; /* of 2^32: the share of draws that are new accounts */
    uint64_t next;
    uint64_t unique;
    uint32_t unique_tag; /* tells this run from others */
    const char *ids;     /* one behind the other */
    uint64_t id_count, id_uses, ids_used;
    bool is_id_around;
};

enum { TEMPLATE_NUMBERS = 100000000 }; /* what 8 digits can hold */

void template_init(struct template *template);
void template_release(struct template *template);
/* Appends text with placeholders. Returns NULL, or the place of a placeholder that does not exist.
 */
const char *template_add(struct template *template, const char *text, size_t size);
/* Appends `from` with its spots. */
void template_append(struct template *template, const struct template *from);
/* Writes new values to the spots of `to`, a copy of the template's bytes. */
void template_fill(const struct template *template, char *to, struct values *values);

#endif
