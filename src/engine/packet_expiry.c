/* The end of a packet's time (PKT-10): it is closed, and what it contains, reserved shares that
 * were never opened included, goes back to the sender as one entry, in the commit in which its row
 * of the due index goes. So it is refunded once, or it is still due.
 *
 * A refund that the sender's account cannot take stays due: it is tried again every five minutes,
 * and is an exception that an operator sees, retries or gives up. */
#include <assert.h>
#include <string.h>

#include "engine/due.h"
#include "engine/exception.h"
#include "engine/handler.h"
#include "engine/ledger.h"
#include "engine/packet.h"

/* False: the sender's account cannot take it. The row is the caller's to store. */
static bool refund(struct engine *engine, struct packet_row *row)
{
    struct account sender;
    int64_t amount = packet_contents(row);
    enum outcome outcome;

    if (!account_find_number(engine->txn, row->sender, &sender))
        assert(!"a packet without its sender");
    outcome = ledger_move(engine, &(struct movement){.type = ENTRY_PACKET_REFUND,
                                                     .account = &sender,
                                                     .counter = SYSTEM_PACKETS,
                                                     .amount = amount,
                                                     .entry = engine_next_number(engine),
                                                     .source_type = SOURCE_PACKET,
                                                     .source = row->number,
                                                     .count = 1});
    if (outcome != OUTCOME_OK) {
        row->exception = exception_note(engine, row->exception, EXCEPTION_PACKET_REFUND,
                                        row->number, row->sender, amount, outcome);
        return false;
    }
    row->refunded += amount;
    packet_set_status(row, PACKET_STATUS_REFUNDED);
    exception_end(engine, row->exception, EXCEPTION_RESOLVED);
    return true;
}

enum outcome engine_packet_expire(struct engine *engine, const struct due_command *command,
                                  struct result *answer)
{
    struct packet_row row;
    bool is_there = packet_find(engine->txn, command->number, &row);

    (void)answer;
    assert(is_there && row.due_ms == command->due_ms && row.status != PACKET_STATUS_REFUNDED);
    if (row.closed_ms == 0) {
        packet_close(engine, &row);
        packet_set_status(&row, PACKET_STATUS_EXPIRED);
    }
    if (refund(engine, &row)) {
        packet_forget_due(engine, &row);
    } else {
        due_delete(engine, row.due_ms, DUE_PACKET_EXPIRY, row.number);
        row.due_ms = engine->command->now_ms + PACKET_REFUND_RETRY_MS;
        due_put(engine, row.due_ms, DUE_PACKET_EXPIRY, row.number);
    }
    packet_store(engine, &row);
    return OUTCOME_OK;
}

enum outcome engine_packet_sweep(struct engine *engine, const struct packet_sweep_command *command,
                                 struct result *answer)
{
    struct packet_row row;

    (void)answer;
    if (packet_find(engine->txn, command->packet, &row) && row.due_ms != 0)
        due_put(engine, row.due_ms, DUE_PACKET_EXPIRY, row.number);
    return OUTCOME_OK;
}

void packet_refund_again(struct engine *engine, uint64_t packet)
{
    struct packet_row row;
    bool is_there = packet_find(engine->txn, packet, &row);

    assert(is_there && row.status == PACKET_STATUS_EXPIRED);
    if (refund(engine, &row) && row.due_ms != 0)
        packet_forget_due(engine, &row);
    packet_store(engine, &row);
}

void packet_refund_give_up(struct engine *engine, uint64_t packet)
{
    struct packet_row row;
    bool is_there = packet_find(engine->txn, packet, &row);

    assert(is_there && row.status == PACKET_STATUS_EXPIRED);
    packet_forget_due(engine, &row);
    packet_store(engine, &row);
}
