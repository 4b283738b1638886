/* Rows of exceptions, and what an operator does with one. A retry that fails is an answer, not a
 * refusal: the exception says what came of it. One that was closed may still be retried, so that
 * what was given up is not lost. */
#include "engine/exception.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/handler.h"
#include "engine/message.h"
#include "engine/packet.h"

enum { EXCEPTION_ROW_VERSION = 1 };

bool exception_find(struct txn *txn, uint64_t number, struct exception_row *row)
{
    char key[8];
    size_t size;
    const void *value;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_EXCEPTION, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size == sizeof *row);
    memcpy(row, value, size);
    assert(row->version == EXCEPTION_ROW_VERSION);
    return true;
}

static void store(struct engine *engine, const struct exception_row *row)
{
    char key[8];

    bytes_put_u64_be(key, row->number);
    txn_put(engine->txn, TABLE_EXCEPTION, key, sizeof key, row, sizeof *row);
}

uint64_t exception_note(struct engine *engine, uint64_t number, enum exception_type type,
                        uint64_t subject, uint64_t account, int64_t amount, enum outcome outcome)
{
    struct exception_row row;

    if (!exception_find(engine->txn, number, &row))
        row = (struct exception_row){.version = EXCEPTION_ROW_VERSION,
                                     .type = (uint8_t)type,
                                     .status = EXCEPTION_OPEN,
                                     .number = engine_next_number(engine),
                                     .subject = subject,
                                     .account = account,
                                     .amount = amount};
    row.outcome = (uint16_t)outcome;
    row.attempts++;
    row.tried_ms = engine->command->now_ms;
    store(engine, &row);
    return row.number;
}

void exception_end(struct engine *engine, uint64_t number, enum exception_status status)
{
    struct exception_row row;

    if (!exception_find(engine->txn, number, &row) || row.status == EXCEPTION_RESOLVED)
        return;
    row.status = (uint8_t)status;
    row.closed_ms = engine->command->now_ms;
    store(engine, &row);
}

enum outcome engine_exception_retry(struct engine *engine,
                                    const struct exception_change_command *command,
                                    struct result *answer)
{
    struct exception_row row;

    if (!exception_find(engine->txn, command->exception, &row))
        return OUTCOME_NOT_FOUND;
    if (row.status == EXCEPTION_RESOLVED)
        return OUTCOME_CONFLICT;
    switch ((enum exception_type)row.type) {
    case EXCEPTION_PACKET_REFUND:
        packet_refund_again(engine, row.subject);
        break;
    case EXCEPTION_PACKET_GRAB:
        packet_credit_again(engine, row.subject, row.account, row.number);
        break;
    case EXCEPTION_MESSAGE_REFUND:
        message_refund_again(engine, row.subject, row.number);
        break;
    }
    exception_find(engine->txn, command->exception, &answer->of.exception.row);
    return OUTCOME_OK;
}

enum outcome engine_exception_close(struct engine *engine,
                                    const struct exception_change_command *command,
                                    struct result *answer)
{
    struct exception_row row;

    if (!exception_find(engine->txn, command->exception, &row))
        return OUTCOME_NOT_FOUND;
    if (row.status != EXCEPTION_OPEN)
        return OUTCOME_CONFLICT;
    if (row.type == EXCEPTION_PACKET_REFUND)
        packet_refund_give_up(engine, row.subject);
    exception_end(engine, row.number, EXCEPTION_CLOSED);
    exception_find(engine->txn, command->exception, &answer->of.exception.row);
    return OUTCOME_OK;
}
