/* An episode: one plan, run from an empty store to its end, with the model beside it. */
#ifndef SMSD_TESTS_SIM_EPISODE_H
#define SMSD_TESTS_SIM_EPISODE_H

#include "archive.h"
#include "cities.h"
#include "compare.h"
#include "images.h"
#include "model.h"
#include "op.h"
#include "world.h"

struct mirror;

enum { SWEEP_KEYS_MAX = 8, EXPIRE_KEYS_MAX = 16, COMPARE_ALL_EVERY = 512 };

struct episode {
    const struct plan *plan;
    struct world world;
    struct model *model, *model_before; /* before a group */
    struct tally tally, tally_before;
    struct command keyed[OPS_MAX]; /* those with a key, by its index */
    struct hash128 sweep_keys[SWEEP_KEYS_MAX];
    struct cities cities;
    struct archive archive;
    struct images images;
    struct visit_key expire_keys[EXPIRE_KEYS_MAX];
    struct welcome_key welcome_keys[EXPIRE_KEYS_MAX];
    struct signal signals[OPS_MAX][SIGNALS_MAX]; /* of the op that made them: keys repeat them */
    uint32_t at;                                 /* the op under way */
    bool is_in_group, is_refused;                /* a group, and one of its commands was */
    struct mirror *mirror;                       /* the same on disk, or NULL */
    uint32_t traced_from;                        /* a line a command, from this op on */
};

/* Runs the plan, with a line a command from op `traced_from` on. What is wrong ends the process. */
enum { TRACE_ALL = 0, TRACE_NONE = OPS_MAX };
void episode_run(const struct plan *plan, struct mirror *mirror, uint32_t traced_from);

/* A command that is a transaction of its own. */
struct result episode_run_alone(struct episode *episode, struct command *command, bool is_tried);
/* op_archive.c: ops that are more than a command. */
void op_archive(struct episode *episode, const struct op *op);
void op_history_drop(struct episode *episode);
/* op_image.c: likewise. */
void op_city_image(struct episode *episode, const struct op *op);
void op_city_load(struct episode *episode, const struct op *op);

/* op_command.c: what an op means now. False: nothing (there is no charge yet to refund, …). */
bool op_command(struct episode *episode, const struct op *op, struct command *command);
/* op_packet.c: the same for a command about a packet, whose type is set. */
bool op_packet_command(struct episode *episode, const struct op *op, struct command *command);
/* op_city.c: likewise about cities. */
bool op_city_command(struct episode *episode, const struct op *op, struct command *command);
bool op_campaign_command(struct episode *episode, const struct op *op, struct command *command);
/* op_message.c, op_catalog.c: likewise about messages and the catalogue; and what there is of it
 * before the first message, step by step: false when that is all. */
bool op_message_command(struct episode *episode, const struct op *op, struct command *command);
bool op_verification_command(struct episode *episode, const struct op *op, struct command *command);
void op_catalog_command(const struct op *op, struct command *command);
bool op_catalog_setup(uint32_t step, uint32_t number, struct command *command);
struct text op_account_id(uint8_t account);
/* `all`: the most that a charge of the account, the rest of a charge, a hold could be. */
int64_t op_amount(const struct op *op, int64_t all);
/* A number that is of no charge or hold, but may be of something else. */
uint64_t op_number_of_another(const struct episode *episode, const struct op *op);

/* trace.c: the line of a command that is about to run, then how it ended. */
void trace_command(const struct episode *episode, const struct command *command);
void trace_outcome(const struct result *result);
void trace_words(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* disk.c: does on disk what the episode does in memory, from the commit on at which it is opened.
 */
void mirror_begin(struct mirror *mirror);
void mirror_run(struct mirror *mirror, const struct command *command, const struct result *result,
                const struct engine_effect *effect, bool is_tried);
/* After the commit in memory, too. */
void mirror_commit(struct mirror *mirror, struct episode *episode);
void mirror_abort(struct mirror *mirror);
/* What the chunk's records are is in history on disk, too; a day of it goes. */
void mirror_keep(struct mirror *mirror, struct archive *archive);
void mirror_drop(struct mirror *mirror, uint32_t day);
/* A file of the image that was made. */
void mirror_image(struct mirror *mirror, const struct sim_image *image, uint64_t kept);
/* Before the episode's store in memory goes. */
void mirror_end(struct mirror *mirror, struct episode *episode);

#endif
