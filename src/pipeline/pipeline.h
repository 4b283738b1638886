/* The pipeline: between those who ask and the engine. It stamps a command with its time and number,
 * runs it, gathers what one turn of the loop changed into a batch, and says when that batch is
 * durable, so that its replies may leave. Loop thread only.
 *
 * Durable when: what a command changed, and what a read saw, is durable once on_durable was called
 * with at least the `hold` that came with it. No reply may leave earlier. */
#ifndef SMSD_PIPELINE_PIPELINE_H
#define SMSD_PIPELINE_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "engine/city_index.h"
#include "engine/due.h"
#include "engine/engine.h"
#include "store/store.h"

struct uv_loop_s;
struct buffer;
struct pipeline;

struct pipeline_options {
    struct store_options store; /* its callbacks and context are the pipeline's to set */
    bool is_test_clock;
    void (*on_durable)(void *context, uint64_t durable); /* on the loop */
    void *context;
};

/* Opens the store and recovers it. 0, or an enum error with a sentence in `why`. */
int pipeline_open(struct pipeline **pipeline, struct uv_loop_s *loop,
                  const struct pipeline_options *options, struct buffer *why);
/* Makes everything durable, writes a checkpoint and closes the store. Afterwards the loop must run
 * until the handles are closed; then pipeline_free. */
void pipeline_close(struct pipeline *pipeline);
void pipeline_free(struct pipeline *pipeline);

/* Ask before running anything that writes: OUTCOME_OK, _OVERLOADED or _STORAGE_FULL. */
enum outcome pipeline_admits(const struct pipeline *pipeline);

/* For work that can wait. False: it should, so that others find room in memory; a checkpoint, which
 * makes some, is then asked for. */
bool pipeline_has_room(struct pipeline *pipeline);

/* Runs a command: the caller has filled everything but `number` and `now_ms`. Returns the hold for
 * its reply. A command that is not admitted gets that outcome and changes nothing. */
uint64_t pipeline_run(struct pipeline *pipeline, struct command *command, struct result *result);

/* Of commands that are run one after another: this one comes soon (engine_expect). */
void pipeline_expect(struct pipeline *pipeline, const struct command *command,
                     enum txn_distance distance);

/* Runs several as one: all, or, if any is refused, none: then false is returned, and `results` say
 * for each what it would have been answered; those that one transaction has no room for are
 * OUTCOME_BODY_TOO_LARGE. `is_trial`: none in any case. Each is stamped and has
 * its own idempotency key. */
bool pipeline_run_atomic(struct pipeline *pipeline, struct command *commands, size_t count,
                         struct result *results, bool is_trial, uint64_t *hold);
/* Calls `next` in a later turn of the loop, after what came in meanwhile: for work done in slices.
 */
void pipeline_continue(struct pipeline *pipeline, void (*next)(void *context), void *context);

/* The same, once there is room (pipeline_has_room). */
void pipeline_continue_with_room(struct pipeline *pipeline, void (*next)(void *context),
                                 void *context);

/* Has `on_due` called when the first row of TABLE_DUE, as far as the pipeline knows, has come to
 * its time. Who is called runs what is due and then says with pipeline_wait_due what comes next
 * (INT64_MAX: nothing). */
void pipeline_watch_due(struct pipeline *pipeline, void (*on_due)(void *context), void *context);
void pipeline_wait_due(struct pipeline *pipeline, int64_t due_ms);
/* The first row of TABLE_DUE; false: there is none. */
bool pipeline_first_due(struct pipeline *pipeline, struct due *due);

/* Has `on_outbox` called for each lane that a command puts rows into: messages of this product are
 * to be sent from `due_ms` on; product 0: anything may be anywhere. The callback only notes it: it
 * is called inside of the transaction, which may still be taken back, and then there is no such
 * row. */
void pipeline_watch_outbox(struct pipeline *pipeline,
                           void (*on_outbox)(void *context, const struct outbox_wake *wake),
                           void *context);

/* Has `on_webhook` called when a command has made a webhook ready for that endpoint
 * (WEBHOOK_ENDPOINTS_MANY: for several). It is called inside of pipeline_run: it may neither read
 * nor run anything, and what it is told of may yet come to nothing. */
void pipeline_watch_webhooks(struct pipeline *pipeline,
                             void (*on_webhook)(void *context, uint64_t endpoint), void *context);

/* A look at the rows as they are: pipeline_read_begin, any reads, pipeline_read_end, which returns
 * the hold for what was seen. Nothing may be run in between. */
struct txn *pipeline_read_begin(struct pipeline *pipeline);
uint64_t pipeline_read_end(struct pipeline *pipeline, struct txn *txn);

/* Holds up to this are durable. */
uint64_t pipeline_durable(const struct pipeline *pipeline);

/* Unix time in milliseconds, with the test clock's offset. */
int64_t pipeline_now_ms(struct pipeline *pipeline);
/* Moves the test clock forward, durably. */
uint64_t pipeline_advance_clock(struct pipeline *pipeline, int64_t ms);
/* Is this data directory started for the first time? Then nothing may be run before
 * pipeline_bootstrap, which takes a BOOTSTRAP command. */
bool pipeline_is_new(const struct pipeline *pipeline);
void pipeline_bootstrap(struct pipeline *pipeline, struct command *command);
/* Secret of this data directory, for hashes of what clients send. */
const struct hash_key *pipeline_secret(const struct pipeline *pipeline);
struct store *pipeline_store(struct pipeline *pipeline);
/* NULL: rows are in memory only. */
const char *pipeline_data_dir(const struct pipeline *pipeline);
/* What the rows of cities and visits say, in memory. */
struct city_index *pipeline_cities(struct pipeline *pipeline);
/* store_scan, with `on_end` on the loop. `on_row` runs on the scan's thread. Returns 0, or -1 if
 * too many wait. */
struct pipeline_scan {
    const enum table *tables; /* static */
    int table_count;
    int (*on_row)(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size);
    void (*on_end)(void *context, int error);
    void *context;
    const void *prefix; /* as in store_scan */
    size_t prefix_size;
};
int pipeline_scan(struct pipeline *pipeline, const struct pipeline_scan *scan);

/* Asks history (store/history.h), with `on_end` on the loop; the request may not go before that.
 * `on_record` runs on the history's thread. -1: too many wait, and nothing is called; or rows are
 * in memory only, and there is no history. */
int pipeline_history(struct pipeline *pipeline, struct history_request *request);
/* May anything that was made on these days (id_day) be history? */
bool pipeline_has_history(struct pipeline *pipeline, uint32_t day_first, uint32_t day_last);
/* Shows every record of history that was made on these days, both included, oldest first: off the
 * loop, in slices, so that it may take long without holding up who reads. `on_record` runs on the
 * history's thread; a record is read by archive_decode (engine/archive.h); non-zero ends the scan.
 * `on_end` comes on the loop, with 0 or an enum error. A message that has just become history may
 * be in a row, too, as it may be that changed meanwhile: then the row is right. -1: as above. */
struct pipeline_history_scan {
    uint32_t day_first, day_last;
    int (*on_record)(void *context, uint64_t number, const void *value, size_t value_size);
    void (*on_end)(void *context, int error);
    void *context;
};
int pipeline_history_scan(struct pipeline *pipeline, const struct pipeline_history_scan *scan);

/* Waits until all that was run is durable. For start-up only. */
void pipeline_flush(struct pipeline *pipeline);

#endif
