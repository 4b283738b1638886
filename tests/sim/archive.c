/* See archive.h. What is hard is to know what must have moved: a message may change between the two
 * steps, the second may never come (a kill), and a record may then be made anew. */
#include "archive.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/id.h"
#include "engine/audit.h"
#include "invariant.h"
#include "wrong.h"

void archive_init(struct archive *archive)
{
    archive->count = archive->chunk_count = archive->dropped_before = 0;
    buffer_init(&archive->bytes);
}

void archive_release(struct archive *archive)
{
    buffer_release(&archive->bytes);
}

struct sim_record *archive_find(struct archive *archive, uint64_t number)
{
    for (uint32_t i = 0; i < archive->count; i++) {
        if (archive->of[i].message.number == number)
            return &archive->of[i];
    }
    return NULL;
}

const char *archive_bytes(const struct archive *archive, const struct sim_record *record)
{
    return archive->bytes.data + record->at;
}

static void decode(const struct archive *archive, const struct sim_record *record,
                   struct archive_record *decoded)
{
    must(archive_decode(archive_bytes(archive, record), record->size, decoded));
    must(decoded->row.number == record->message.number);
}

/* Is the stored row what lies in the record? Behind its head, with two bytes of its size. */
static bool is_row_of(struct archive *archive, struct txn *txn, const struct sim_record *record)
{
    enum { ROW_AT = 4 };
    const char *bytes = archive_bytes(archive, record) + ROW_AT;
    uint16_t kept;
    char key[8];
    size_t size;

    bytes_put_u64_be(key, record->message.number);
    const void *value = txn_get(txn, TABLE_MESSAGE, key, sizeof key, &size);
    memcpy(&kept, bytes, sizeof kept);
    return value != NULL && size == kept && memcmp(value, bytes + sizeof kept, size) == 0;
}

/* --- the first step ------------------------------------------------------------------------------
 */

static void check_ids(struct txn *txn, const struct archive_record *record)
{
    char key[MESSAGE_ID_KEY_SIZE] = {0};
    struct txn_walk *walk;
    size_t count = 0;

    bytes_put_u64_be(key, record->row.number);
    walk = txn_walk(txn, TABLE_MESSAGE_IDS, WALK_UP, key, sizeof key);
    for (; txn_walk_next(walk) && memcmp(walk->key, key, 8) == 0; count++) {
        const struct message_id *kept = &record->ids[count];
        struct message_id id;
        must(message_id_read(walk->key, walk->key_size, walk->value, walk->value_size, &id));
        must(count < record->id_count && text_equals(id.id, kept->id));
        must(id.product == kept->product && id.attempt == kept->attempt && id.part == kept->part);
    }
    txn_walk_end(walk);
    must(count == record->id_count);
}

/* All that rows say of the message is in its record. */
static void check_record(struct archive *archive, struct txn *txn, struct sim_record *made)
{
    static struct message_event events[MESSAGE_HISTORY_MAX], kept[MESSAGE_HISTORY_MAX];
    static struct archive_record record;
    static struct message_text text;
    struct message_row row;
    size_t count;

    decode(archive, made, &record);
    must(message_find(txn, made->message.number, &row));
    must(message_text_find(txn, made->message.number, &text));
    must(is_row_of(archive, txn, made));
    must(memcmp(&record.text.row, &text.row, sizeof text.row) == 0);
    must(text_equals(record.text.content, text.content));
    must(text_equals(record.text.callback_url, text.callback_url));
    must(text_equals(record.text.client_reference, text.client_reference));
    must(text_equals(record.text.template_id, text.template_id));
    must(made->message.to == text.row.to && made->message.company == row.company);
    count = message_history(txn, &row, text.row.send_at_ms, events);
    must(archive_history(&record, kept) == count);
    for (size_t i = 0; i < count; i++) {
        must(events[i].at_ms == kept[i].at_ms && events[i].status == kept[i].status);
        must(events[i].error == kept[i].error && events[i].detail_size == kept[i].detail_size);
        must(memcmp(events[i].detail, kept[i].detail, kept[i].detail_size) == 0);
    }
    check_ids(txn, &record);
    made->charge_weight = audit_charge_weight(row.number, row.charged);
    made->record_weight =
        audit_record_weight(row.number, crc32c(0, archive_bytes(archive, made), made->size));
}

static void keep(struct archive *archive, struct txn *txn, const struct archived_message *message,
                 size_t at)
{
    struct sim_record *record = archive_find(archive, message->number);

    if (record == NULL) {
        must(archive->count < OPS_MAX);
        record = &archive->of[archive->count++];
    } else {
        must(!record->is_alone); /* it has gone for good */
    }
    *record = (struct sim_record){
        .message = *message, .at = at, .size = archive->bytes.size - at, .is_kept = true};
    check_record(archive, txn, record);
    archive->chunk[archive->chunk_count++] = *message;
}

/* SMS-8: what its account could not be given back is owed. */
static bool is_owed(struct txn *txn, uint64_t number)
{
    struct message_row row;

    must(message_find(txn, number, &row));
    return row.charged != 0 && (row.status == MESSAGE_FAILED || row.status == MESSAGE_CANCELED ||
                                row.status == MESSAGE_REJECTED);
}

void archive_gather(struct archive *archive, struct txn *txn, int64_t before_ms, uint32_t max)
{
    struct txn_walk *walk = txn_walk(txn, TABLE_MESSAGE_FINISHED, WALK_UP, NULL, 0);

    must(archive->chunk_count == 0 && max <= ARCHIVE_CHUNK_MAX);
    while (archive->chunk_count < max && txn_walk_next(walk) &&
           (int64_t)bytes_get_u64_be(walk->key) < before_ms) {
        uint64_t number = bytes_get_u64_be((const char *)walk->key + 8);
        struct archived_message message;
        size_t at = archive->bytes.size;
        bool is_made = archive_encode(txn, number, before_ms, &archive->bytes, &message);
        must(is_made == !is_owed(txn, number));
        if (is_made)
            keep(archive, txn, &message, at);
    }
    txn_walk_end(walk);
}

static void check_days(const struct archive *archive, struct txn *txn);

/* --- the second ----------------------------------------------------------------------------------
 */

void archive_look(struct archive *archive, struct txn *txn, bool is_unchanged[ARCHIVE_CHUNK_MAX])
{
    for (uint32_t i = 0; i < archive->chunk_count; i++)
        is_unchanged[i] = is_row_of(archive, txn, archive_find(archive, archive->chunk[i].number));
}

/* Money, quotas, reports, campaigns, visits: nothing of these changes. */
static bool may_change(enum table table)
{
    switch (table) {
    case TABLE_MESSAGE:
    case TABLE_MESSAGE_TEXT:
    case TABLE_MESSAGE_EVENT:
    case TABLE_MESSAGE_IDS:
    case TABLE_MESSAGE_TO:
    case TABLE_MESSAGE_COMPANY:
    case TABLE_MESSAGE_FINISHED:
    case TABLE_PROVIDER_ID:
    case TABLE_HISTORY_DAY:
    case TABLE_META: /* the commit's own */
        return true;
    default:
        return false;
    }
}

static void check_changes(const struct world *world)
{
    for (size_t i = 0; i < world->changes.count; i++) {
        if (!may_change(world->changes.items[i].table))
            wrong("the archive has changed a row of %s",
                  table_infos[world->changes.items[i].table].name);
    }
}

void archive_moved(struct archive *archive, struct world *world, const struct result *result,
                   const bool was_unchanged[ARCHIVE_CHUNK_MAX])
{
    uint32_t moved = 0;

    check_changes(world);
    for (uint32_t i = 0; i < archive->chunk_count; i++) {
        struct sim_record *record = archive_find(archive, archive->chunk[i].number);
        struct message_row row;
        must(record->is_kept);
        record->is_alone = record->is_alone || was_unchanged[i];
        moved += was_unchanged[i];
        if (message_find(world->txn, record->message.number, &row) == record->is_alone)
            wrong("a message is neither row nor history, or both after it has moved");
    }
    must(result->of.messages_archived.archived == moved);
    archive->chunk_count = 0;
    check_days(archive, world->txn);
}

/* --- days ----------------------------------------------------------------------------------------
 */

bool archive_first_day(const struct archive *archive, uint32_t *day)
{
    *day = UINT32_MAX;
    for (uint32_t i = 0; i < archive->count; i++) {
        uint32_t own = id_day(archive->of[i].message.number);
        if (archive->of[i].is_kept && own < *day)
            *day = own;
    }
    return *day != UINT32_MAX;
}

void archive_dropped(struct archive *archive, struct world *world, uint32_t day)
{
    check_changes(world);
    must(archive->chunk_count == 0);
    for (uint32_t i = 0; i < archive->count; i++) {
        struct sim_record *record = &archive->of[i];
        record->is_kept = record->is_kept && id_day(record->message.number) != day;
    }
    if (day >= archive->dropped_before)
        archive->dropped_before = day + 1;
    check_days(archive, world->txn);
}

/* What the row of a day must say; of HISTORY_DAYS_DROPPED what is said of all that was dropped. */
static void sum_day(const struct archive *archive, uint32_t day, struct history_day_row *sum)
{
    *sum = (struct history_day_row){.version = 1};
    for (uint32_t i = 0; i < archive->count; i++) {
        const struct sim_record *record = &archive->of[i];
        if (!record->is_alone ||
            day != (record->is_kept ? id_day(record->message.number) : HISTORY_DAYS_DROPPED))
            continue;
        sum->messages++;
        sum->charged += record->charge_weight;
        sum->records += record->record_weight;
    }
    if (day == HISTORY_DAYS_DROPPED)
        sum->before = archive->dropped_before;
}

static void check_days(const struct archive *archive, struct txn *txn)
{
    struct txn_walk *walk = txn_walk(txn, TABLE_HISTORY_DAY, WALK_UP, NULL, 0);
    struct history_day_row row, sum;
    uint64_t messages = 0;
    uint32_t day;

    while (txn_walk_next(walk)) {
        must(
            history_day_read(walk->key, walk->key_size, walk->value, walk->value_size, &day, &row));
        sum_day(archive, day, &sum);
        must(memcmp(&row, &sum, sizeof row) == 0);
        must(row.messages > 0 || day == HISTORY_DAYS_DROPPED);
        messages += row.messages;
    }
    txn_walk_end(walk);
    for (uint32_t i = 0; i < archive->count; i++)
        messages -= archive->of[i].is_alone;
    must(messages == 0);
}

void archive_check(struct archive *archive, struct txn *txn)
{
    struct message_row row;

    check_days(archive, txn);
    for (uint32_t i = 0; i < archive->count; i++)
        must(message_find(txn, archive->of[i].message.number, &row) != archive->of[i].is_alone);
}

bool archive_read(struct archive *archive, struct txn *txn, uint64_t number)
{
    static struct archive_record record;
    const struct sim_record *found = archive_find(archive, number);
    struct message_row row;

    if (message_find(txn, number, &row)) {
        invariant_message_read(txn, number);
        return true;
    }
    must(found != NULL && found->is_alone);
    if (!found->is_kept)
        return false;
    decode(archive, found, &record);
    invariant_record_read(&record);
    return true;
}
