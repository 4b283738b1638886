/* Rows against the model: after each command those it changed, now and then all there are. What is
 * wrong ends the process (wrong.h). */
#ifndef SMSD_TESTS_SIM_COMPARE_H
#define SMSD_TESTS_SIM_COMPARE_H

#include "invariant.h"
#include "model.h"
#include "world.h"

/* What is learnt from rows on the way: numbers the engine chose, and the hash chain as it follows
 * from the entries. */
struct tally {
    uint32_t chain[8];
    uint32_t entries, webhooks, exceptions; /* whose numbers the model knows */
    struct invariant_sums sums;
    struct invariant_message_sums message_sums;
    struct invariant_reports reports;
    uint32_t rows[TABLE_NUMBER_MAX + 1];
};

void tally_init(struct tally *tally);

/* After a command that both have run. */
void compare_command(struct model *model, struct tally *tally, struct world *world,
                     const struct command *command, const struct expected *expected,
                     const struct result *result, const struct engine_effect *effect);
/* The row, which is there, is what the model says. Marks and numbers may be missing only as a
 * whole: compare_counts. */
void compare_row(struct model *model, struct world *world, enum table table, const void *key,
                 size_t key_size, const void *value, size_t value_size);
/* compare_packet.c: the same for the tables of packets; all that a packet has, whether it was
 * changed or not; as it is read; and what a command about one is answered with. */
void compare_packet_row(struct model *model, enum table table, const char *key, size_t key_size,
                        const void *value, size_t value_size);
void compare_packet(struct txn *txn, struct model *model, int index);
void compare_packet_read(struct txn *txn, struct model *model, int index, int64_t now_ms);
void compare_packet_answered(struct model *model, const struct command *command,
                             const struct expected *expected, const struct result *result);
/* compare_city.c: the same for the tables of cities; before it, what the model leaves open of
 * visits; and all there is of cities, in rows and in memory. */
void compare_city_row(struct model *model, enum table table, const char *key, size_t key_size,
                      const void *value, size_t value_size);
void compare_city_answered(struct txn *txn, struct model *model, const struct command *command,
                           const struct expected *expected, const struct result *result);
void learn_visits(struct txn *txn, struct model *model, const struct command *command);
struct cities;
void compare_cities(struct model *model, const struct cities *read, struct txn *txn,
                    int64_t now_ms);
/* compare_verification.c: the same for the tables of verifications; and that none of their rows is
 * missing. */
void compare_verification_row(struct model *model, enum table table, const char *key,
                              const char *value, size_t size, int64_t now_ms);
void compare_verifications(struct txn *txn, const struct model *model,
                           const uint32_t rows[TABLE_NUMBER_MAX + 1], int64_t now_ms);
/* What a gateway reads: the head of the product's lane. */
void compare_outbox(struct txn *txn, const struct model *model, uint64_t product,
                    enum message_kind lane);
void compare_counts(const struct model *model, const uint32_t rows[TABLE_NUMBER_MAX + 1]);
/* Everything, from the rows and lists alone. */
struct archive;
void compare_all(struct model *model, const struct tally *tally, struct world *world,
                 const struct archive *archive);
/* Each message is where the model says. */
void compare_archive(struct model *model, struct archive *archive, struct txn *txn);
void compare_charge(struct txn *txn, struct model *model, uint64_t number);
/* The account's last entry of at most that time. */
void compare_moment(struct txn *txn, const struct model *model, int account, int64_t at_ms);

#endif
