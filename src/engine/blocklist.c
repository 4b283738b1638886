/* One row a number. It is looked at twice, at the submit and before the message is given to a
 * gateway: who opts out gets nothing of what already waits. */
#include "engine/blocklist.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/handler.h"

enum { BLOCKLIST_ROW_VERSION = 1 };

static const char *const reasons[] = {
#define BLOCKLIST_REASON(name, number, text) [number] = text,
#include "engine/blocklist_reason.def"
#undef BLOCKLIST_REASON
};

const char *blocklist_reason_text(enum blocklist_reason reason)
{
    return reasons[reason];
}

enum blocklist_reason blocklist_reason_parse(struct text text)
{
    for (size_t i = 1; i < sizeof reasons / sizeof *reasons; i++) {
        if (text_equals(text, (struct text){reasons[i], strlen(reasons[i])}))
            return (enum blocklist_reason)i;
    }
    return 0;
}

bool blocklist_find(struct txn *txn, uint64_t mobile, struct blocked *blocked)
{
    char key[8];
    size_t size;
    const void *value;

    bytes_put_u64_be(key, mobile);
    value = txn_get(txn, TABLE_BLOCKLIST, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size >= sizeof blocked->row && size <= sizeof *blocked);
    memcpy(blocked, value, size);
    assert(blocked->row.version == BLOCKLIST_ROW_VERSION &&
           size == sizeof blocked->row + blocked->row.note_size);
    return true;
}

bool blocklist_stops(struct txn *txn, uint64_t mobile, enum message_kind kind)
{
    struct blocked blocked;

    return blocklist_find(txn, mobile, &blocked) &&
           (blocked.row.reason == BLOCKLIST_BLOCKED || kind == MESSAGE_KIND_MARKETING);
}

enum outcome engine_blocklist_put(struct engine *engine,
                                  const struct blocklist_put_command *command,
                                  struct result *answer)
{
    struct blocked blocked = {.row = {.version = BLOCKLIST_ROW_VERSION,
                                      .reason = (uint8_t)command->reason,
                                      .note_size = (uint8_t)command->note.size,
                                      .changed_by = command->changed_by,
                                      .changed_ms = engine->command->now_ms}};
    char key[8];

    (void)answer;
    assert(command->note.size <= sizeof blocked.note);
    if (command->note.size > 0)
        memcpy(blocked.note, command->note.data, command->note.size);
    bytes_put_u64_be(key, command->mobile);
    txn_put(engine->txn, TABLE_BLOCKLIST, key, sizeof key, &blocked,
            sizeof blocked.row + command->note.size);
    return OUTCOME_OK;
}

enum outcome engine_blocklist_delete(struct engine *engine,
                                     const struct blocklist_delete_command *command,
                                     struct result *answer)
{
    char key[8];

    (void)answer;
    bytes_put_u64_be(key, command->mobile);
    return txn_delete(engine->txn, TABLE_BLOCKLIST, key, sizeof key) ? OUTCOME_OK
                                                                     : OUTCOME_NOT_FOUND;
}
