/* History's files beside the store on disk (SMS-19), each request waited for. After a kill they may
 * hold what the commit that is there has not done yet: records of messages that are still rows, and
 * days that its rows know to be dropped. */
#include "disk_history.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "wrong.h"

struct asked {
    sem_t has_ended;
    int error;
};

static void on_end(void *context, int error)
{
    struct asked *asked = context;

    asked->error = error;
    sem_post(&asked->has_ended);
}

static void ask(struct history *history, struct history_request *request)
{
    struct asked asked;

    sem_init(&asked.has_ended, 0, 0);
    request->on_end = on_end;
    request->end_context = &asked;
    must(history_ask(history, request) == 0);
    while (sem_wait(&asked.has_ended) != 0)
        continue;
    sem_destroy(&asked.has_ended);
    if (asked.error != 0)
        wrong("disk: history answers with error %d", asked.error);
}

static int compare_numbers(const void *a, const void *b)
{
    const struct history_record *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

void disk_history_keep(struct history *history, struct archive *archive)
{
    struct history_record records[ARCHIVE_CHUNK_MAX];

    for (uint32_t i = 0; i < archive->chunk_count; i++) {
        const struct archived_message *message = &archive->chunk[i];
        const struct sim_record *record = archive_find(archive, message->number);
        records[i] = (struct history_record){.number = message->number,
                                             .to = message->to,
                                             .company = message->company,
                                             .value = archive_bytes(archive, record),
                                             .value_size = record->size};
    }
    qsort(records, archive->chunk_count, sizeof *records, compare_numbers);
    ask(history, &(struct history_request){.kind = HISTORY_APPEND,
                                           .records = records,
                                           .record_count = archive->chunk_count});
    for (uint32_t i = 0; i < archive->chunk_count; i++)
        must(records[i].is_kept);
}

void disk_history_drop(struct history *history, uint32_t day)
{
    ask(history, &(struct history_request){.kind = HISTORY_DROP, .day = day});
    must(!history_has(history, day, day));
}

/* --- comparing -----------------------------------------------------------------------------------
 */

struct comparing {
    struct archive *archive;
    struct txn *txn; /* of the rows in memory */
    uint32_t found;
};

/* Is history alone with it? The rows know already of a drop that was just done. */
static bool is_needed(struct txn *txn, const struct sim_record *record)
{
    struct history_day_row day;
    struct message_row row;

    return record->is_kept && !message_find(txn, record->message.number, &row) &&
           history_day_find(txn, id_day(record->message.number), &day);
}

static int on_record(void *context, uint64_t number, const void *value, size_t value_size)
{
    struct comparing *comparing = context;
    const struct sim_record *record = archive_find(comparing->archive, number);
    struct message_row row;

    if (record == NULL)
        must(message_find(comparing->txn, number, &row));
    if (record == NULL || !is_needed(comparing->txn, record))
        return 0;
    comparing->found++;
    if (value_size != record->size ||
        memcmp(value, archive_bytes(comparing->archive, record), value_size) != 0)
        wrong("disk: a message is not in history what its rows were");
    return 0;
}

void disk_history_compare(struct history *history, struct archive *archive, struct txn *txn)
{
    struct comparing comparing = {archive, txn, 0};
    uint32_t needed = 0;

    ask(history, &(struct history_request){.kind = HISTORY_SCAN,
                                           .first = 1,
                                           .last = UINT64_MAX,
                                           .on_record = on_record,
                                           .context = &comparing});
    for (uint32_t i = 0; i < archive->count; i++)
        needed += is_needed(txn, &archive->of[i]);
    if (comparing.found != needed)
        wrong("disk: history has %u messages, and must have %u", comparing.found, needed);
}
