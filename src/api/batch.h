/* A batch on its way (BILL-10): made when the first bytes of its body are seen, fed as they come,
 * run when the last has come and everything was well-formed; until then it has left no trace.
 *
 * What its items are is a struct batch_kind's affair.
 *
 * Memory, of which bytes sent are no part: while it is read, for each of 10,000 items a struct item
 * (some 270 bytes), the texts of all, at most 16 MiB, 2 MiB for what items are refused with, one
 * item's bytes, and what storage that doubles has to spare. While it is run, also its answer, at
 * most some 1.2 KiB an item, and if it is atomic some 450 bytes an item. At most batches_max of
 * them exist. */
#ifndef SMSD_API_BATCH_H
#define SMSD_API_BATCH_H

#include <stddef.h>

#include "base/text.h"
#include "engine/outcome.h"

struct api;
struct arena;
struct batch;
struct buffer;
struct call;
struct command;
struct json_errors;
struct json_value;
struct json_writer;
struct result;

/* What items of a batch are. */
struct batch_kind {
    /* Fills a command from an item: OUTCOME_OK; OUTCOME_INVALID with something added to `errors`;
     * or another refusal. `idempotency_key`: the item's own; data NULL: none. */
    enum outcome (*bind)(struct call *call, const struct json_value *json, struct command *command,
                         struct text *idempotency_key, struct json_errors *errors);
    /* Moves what the command points to into the arena, by batch_keep_text. */
    void (*keep)(struct arena *texts, struct command *command);
    /* The most that `keep` takes from the arena for it. */
    size_t (*text_bytes)(const struct command *command);
    /* HTTP status of a success. */
    int (*status)(const struct command *command);
    /* The answer to a success, as the member `name`. */
    void (*write)(const struct api *api, struct json_writer *writer, const char *name,
                  const struct command *command, const struct result *result);
    /* The problem that a command was refused with; NULL: what the outcome says is all. */
    void (*write_refusal)(const struct api *api, struct buffer *problem,
                          const struct command *command, enum outcome outcome);
};

extern const struct batch_kind charge_batch_kind, message_batch_kind;

struct text batch_keep_text(struct arena *texts, struct text text);
/* What a text takes there: rounded up, ended by a NUL. */
static inline size_t batch_text_bytes(struct text text)
{
    return text.data == NULL ? 0 : text.size + 16;
}

/* The handler of every route of batches. */
void batch_answer(struct call *call);

#endif
