/* Rows of verifications, and the end of each (engine/verification.h). What is hard about it is when
 * one may be forgotten: not before its end is out of every count, and not while a wrong check of
 * the last day hangs on it. */
#include "engine/verification.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/catalog.h"
#include "engine/due.h"
#include "engine/handler.h"
#include "engine/verification_store.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

static const char *const statuses[VERIFICATION_STATUSES] = {
#define VERIFICATION_STATUS(name, number, text) [number] = text,
#include "engine/verification_status.def"
#undef VERIFICATION_STATUS
};

const char *verification_status_text(enum verification_status status)
{
    return statuses[status];
}

/* --- rows ----------------------------------------------------------------------------------------
 */

bool verification_find(struct txn *txn, uint64_t number, struct verification_row *row)
{
    char key[8];
    size_t size;
    const void *value;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_VERIFICATION, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size == sizeof *row);
    memcpy(row, value, size);
    assert(row->version == VERIFICATION_ROW_VERSION && row->number == number);
    return true;
}

void verification_store(struct engine *engine, struct verification_row *row, int64_t due_ms)
{
    char key[8];

    if (row->due_ms != due_ms && row->due_ms != 0)
        due_delete(engine, row->due_ms, DUE_VERIFICATION, row->number);
    if (row->due_ms != due_ms)
        due_put(engine, due_ms, DUE_VERIFICATION, row->number);
    row->due_ms = due_ms;
    bytes_put_u64_be(key, row->number);
    txn_put(engine->txn, TABLE_VERIFICATION, key, sizeof key, row, sizeof *row);
}

bool verification_is_good(const struct verification_row *row, int64_t now_ms)
{
    return row->status == VERIFICATION_PENDING && row->expires_ms > now_ms;
}

void verification_asked_key(char key[VERIFICATION_NUMBER_KEY_SIZE], uint64_t to, uint64_t company)
{
    bytes_put_u64_be(key, to);
    bytes_put_u64_be(key + 8, company);
}

bool verification_asked_find(struct txn *txn, uint64_t to, uint64_t company, int64_t now_ms,
                             struct verification_asked *asked)
{
    char key[VERIFICATION_NUMBER_KEY_SIZE];
    size_t size, old = 0;
    const void *value;

    verification_asked_key(key, to, company);
    value = txn_get(txn, TABLE_VERIFICATION_NUMBER, key, sizeof key, &size);
    asked->row = (struct verification_number_row){.version = VERIFICATION_ROW_VERSION};
    if (value == NULL)
        return false;
    assert(size >= sizeof asked->row && size <= sizeof *asked);
    memcpy(asked, value, size);
    assert(asked->row.version == VERIFICATION_ROW_VERSION &&
           size == sizeof asked->row + asked->row.wrong_count * sizeof *asked->wrong_ms);
    while (old < asked->row.wrong_count && asked->wrong_ms[old] + DAY_MS <= now_ms)
        old++;
    asked->row.wrong_count = (uint16_t)(asked->row.wrong_count - old);
    memmove(asked->wrong_ms, asked->wrong_ms + old,
            asked->row.wrong_count * sizeof *asked->wrong_ms);
    if (asked->row.attempt_ms + VERIFICATION_LOCK_MS <= now_ms)
        asked->row.attempts = 0;
    return true;
}

void verification_asked_store(struct engine *engine, uint64_t to, uint64_t company,
                              const struct verification_asked *asked)
{
    char key[VERIFICATION_NUMBER_KEY_SIZE];

    verification_asked_key(key, to, company);
    txn_put(engine->txn, TABLE_VERIFICATION_NUMBER, key, sizeof key, asked,
            sizeof asked->row + asked->row.wrong_count * sizeof *asked->wrong_ms);
}

int64_t verification_checks_free_ms(struct txn *txn, const struct verification_asked *asked,
                                    int64_t *attempts_free_ms)
{
    int64_t most = setting_int(txn, SETTING_VERIFICATION_WRONG_PER_DAY);
    int64_t first = asked->row.wrong_count - most;

    *attempts_free_ms = 0;
    if (asked->row.attempts >= setting_int(txn, SETTING_VERIFICATION_ATTEMPTS))
        *attempts_free_ms = asked->row.attempt_ms + VERIFICATION_LOCK_MS;
    return first < 0 ? 0 : asked->wrong_ms[first] + DAY_MS;
}

/* --- the end of one ------------------------------------------------------------------------------
 */

/* It is forgotten after a day; after a long standstill not before its end is out of every count. */
void verification_end(struct engine *engine, struct verification_row *row,
                      enum verification_status status)
{
    int64_t forget_ms = row->created_ms + VERIFICATION_KEPT_MS;
    int64_t counted_ms = engine->command->now_ms + VERIFICATION_COUNTED_MS;

    assert(row->status == VERIFICATION_PENDING);
    row->status = (uint8_t)status;
    row->ended_ms = engine->command->now_ms;
    engine->effect->verification_steps[status]++;
    verification_count_end(engine, row);
    verification_store(engine, row, forget_ms > counted_ms ? forget_ms : counted_ms);
}

/* A wrong check of the last day keeps it, and the count of wrong ones with it. */
static void forget(struct engine *engine, struct verification_row *row)
{
    char key[VERIFICATION_NUMBER_KEY_SIZE];
    struct verification_asked asked;

    if (verification_asked_find(engine->txn, row->to, row->company, engine->command->now_ms,
                                &asked) &&
        asked.row.current == row->number) {
        if (asked.row.wrong_count > 0) {
            verification_store(engine, row, asked.wrong_ms[asked.row.wrong_count - 1] + DAY_MS);
            return;
        }
        verification_asked_key(key, row->to, row->company);
        txn_delete(engine->txn, TABLE_VERIFICATION_NUMBER, key, sizeof key);
    }
    if (row->status != VERIFICATION_NONE)
        verification_count_forget(engine, row);
    due_delete(engine, row->due_ms, DUE_VERIFICATION, row->number);
    bytes_put_u64_be(key, row->number);
    txn_delete(engine->txn, TABLE_VERIFICATION, key, 8);
}

enum outcome engine_verification_due(struct engine *engine, const struct due_command *command,
                                     struct result *answer)
{
    struct verification_row row;
    bool is_there = verification_find(engine->txn, command->number, &row);

    (void)answer;
    assert(is_there && row.due_ms == command->due_ms);
    if (row.status == VERIFICATION_PENDING)
        verification_end(engine, &row, VERIFICATION_EXPIRED);
    else
        forget(engine, &row);
    return OUTCOME_OK;
}

bool verification_is_over(struct engine *engine, const struct message_text_row *text)
{
    struct verification_row row;

    return !verification_find(engine->txn, text->origin, &row) ||
           !verification_is_good(&row, engine->command->now_ms);
}

/* What no provider has taken counts neither for the number's caps nor as unused. Where nobody knows
 * it may have arrived; and what was taken once was paid for, whatever became of it on another
 * route. */
void verification_follow(struct engine *engine, const struct message_row *message,
                         enum message_status from)
{
    struct verification_row row;
    struct message_text_row text;

    (void)from;
    if (!message_status_is_back((enum message_status)message->status) || message->sent_ms != 0 ||
        message->error == MESSAGE_ERROR_UNKNOWN_OUTCOME)
        return;
    message_text_row_find(engine->txn, message->number, &text);
    if (!verification_find(engine->txn, text.origin, &row))
        return;
    row.flags |= VERIFICATION_IS_BACK;
    verification_count_back(engine, &row);
    verification_store(engine, &row, row.due_ms);
}
