/* What must hold of the rows whatever was asked for: told from the rows alone, without the model,
 * which may be wrong where the engine is. After each command for what it changed, with sums and
 * counts carried along; now and then anew for all there is. What is wrong ends the process. */
#ifndef SMSD_TESTS_SIM_INVARIANT_H
#define SMSD_TESTS_SIM_INVARIANT_H

#include <stdint.h>

#include "engine/report.h"
#include "world.h"

enum { INVARIANT_CURRENCIES = 4 };

/* Carried from command to command. All zero at first. */
struct invariant_sums {
    struct {
        char currency[4];
        int64_t money;     /* of all accounts (BILL-12) */
        int64_t packets;   /* of @packets */
        int64_t contained; /* in packets */
    } of[INVARIANT_CURRENCIES];
    /* Packets by what their rows say, and the rows that must be as many. */
    int64_t packets, sent_rows, group_rows, grouped;
    int64_t waiting, unfinished_rows, due_rows;
    int64_t taken, grab_rows, place_rows;
};

struct archive;
struct archive_record;

struct invariant_message_sums {
    int64_t messages, text_rows, to_rows, company_rows;
    int64_t queued, outbox_rows;
    int64_t sending, sending_rows;
    int64_t waiting, due_rows;
    int64_t finished, finished_rows;
    int64_t receipts, receipt_rows, forget_rows;
    int64_t webhooks, webhook_rows;
    int64_t received, received_from_rows, received_forget_rows;
};

enum { INVARIANT_REPORTS = 2048 };

/* The messages counted anew, under each key that there was. */
struct invariant_reports {
    uint32_t count;
    struct invariant_report {
        char key[REPORT_KEY_SIZE];
        bool is_changed; /* by the last command */
        struct report_row counts;
    } of[INVARIANT_REPORTS];
};

/* The last command's changes. */
void invariant_step(struct invariant_sums *sums, struct world *world);
void invariant_all(const struct invariant_sums *sums, struct world *world);
/* invariant_message.c: the same for messages. */
void invariant_message_step(struct invariant_message_sums *sums, struct world *world);
/* As it is read: its history. */
void invariant_message_read(struct txn *txn, uint64_t number);
void invariant_record_read(const struct archive_record *record);
void invariant_message_all(const struct invariant_message_sums *sums, struct world *world);
/* invariant_report.c: the same for what is counted of them. */
void invariant_report_step(struct invariant_reports *reports, struct world *world);
void invariant_report_all(const struct invariant_reports *reports, struct world *world,
                          const struct archive *archive);

#endif
