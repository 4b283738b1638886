/* Checking codes. What is hard about it is what an attacker could learn or get by it: a check does
 * the same whether there is a code or not, and wrong ones are counted where no new code clears
 * them. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/catalog.h"
#include "engine/handler.h"
#include "engine/verification_store.h"

/* The company whose code is meant by a caller who does not say: the one whose is the newest of
 * those that are good, else of all. Checks alone, of whichever company, never take its place. */
static uint64_t company_of_newest(struct txn *txn, uint64_t to, int64_t now_ms)
{
    struct verification_row newest = {.status = VERIFICATION_NONE}, row;
    char key[VERIFICATION_NUMBER_KEY_SIZE];
    struct txn_walk *walk;

    verification_asked_key(key, to, 0);
    walk = txn_walk(txn, TABLE_VERIFICATION_NUMBER, WALK_UP, key, sizeof key);
    txn_walk_within(walk, 8);
    while (txn_walk_next(walk)) {
        struct verification_number_row number;
        memcpy(&number, walk->value, sizeof number);
        if (!verification_find(txn, number.current, &row) || row.status == VERIFICATION_NONE)
            continue;
        if (verification_is_good(&row, now_ms) == verification_is_good(&newest, now_ms)
                ? row.number > newest.number
                : verification_is_good(&row, now_ms))
            newest = row;
    }
    txn_walk_end(walk);
    return newest.company;
}

/* In the same time whatever they are, and also where there is no code. */
static bool is_code(struct txn *txn, const struct verification_row *row, struct text given)
{
    char code[VERIFICATION_CODE_MAX] = {0}, padded[VERIFICATION_CODE_MAX] = {0};
    unsigned differs = given.size ^ row->code_length;

    verification_code(txn, row, code);
    if (given.size > 0)
        memcpy(padded, given.data, given.size < sizeof padded ? given.size : sizeof padded);
    for (size_t i = 0; i < sizeof code; i++)
        differs |= (unsigned char)(code[i] ^ padded[i]);
    return differs == 0 && row->status == VERIFICATION_PENDING;
}

/* A number that nobody has sent a code to, for as long as wrong checks of it are remembered. */
static void begin_none(struct engine *engine, uint64_t to, uint64_t company,
                       struct verification_asked *asked)
{
    struct verification_row row = {.version = VERIFICATION_ROW_VERSION,
                                   .status = VERIFICATION_NONE,
                                   .number = engine->command->number,
                                   .to = to,
                                   .company = company,
                                   .created_ms = engine->command->now_ms};

    asked->row.current = row.number;
    verification_store(engine, &row, row.created_ms + VERIFICATION_KEPT_MS);
}

static void note_wrong(struct engine *engine, uint64_t to, struct verification_row *row,
                       struct verification_asked *asked)
{
    int64_t most = setting_int(engine->txn, SETTING_VERIFICATION_ATTEMPTS);

    assert(asked->row.wrong_count < VERIFICATION_WRONG_MAX);
    asked->wrong_ms[asked->row.wrong_count++] = engine->command->now_ms;
    asked->row.attempt_ms = engine->command->now_ms;
    asked->row.attempts++;
    engine->effect->is_check_wrong = true;
    if (asked->row.current == 0)
        begin_none(engine, to, row->company, asked);
    verification_asked_store(engine, to, row->company, asked);
    if (row->status != VERIFICATION_PENDING)
        return;
    row->wrong++;
    if (row->wrong >= most)
        verification_end(engine, row, VERIFICATION_LOCKED);
    else
        verification_store(engine, row, row->due_ms);
}

static void note_right(struct engine *engine, struct verification_row *row,
                       struct verification_asked *asked)
{
    asked->row.attempts = 0;
    verification_asked_store(engine, row->to, row->company, asked);
    verification_end(engine, row, VERIFICATION_VERIFIED);
}

static enum outcome find_company(struct engine *engine,
                                 const struct verification_check_command *command,
                                 uint64_t *company)
{
    struct catalog_thing thing;

    if (command->company.data == NULL) {
        *company = company_of_newest(engine->txn, command->to, engine->command->now_ms);
        return OUTCOME_OK;
    }
    if (!catalog_find(engine->txn, CATALOG_COMPANY, command->company, &thing))
        return OUTCOME_COMPANY_NOT_FOUND;
    *company = thing.number;
    return OUTCOME_OK;
}

enum outcome engine_verification_check(struct engine *engine,
                                       const struct verification_check_command *command,
                                       struct result *answer)
{
    struct verification_check_result *check = &answer->of.verification_check;
    int64_t now_ms = engine->command->now_ms, free_ms, attempts_free_ms;
    struct verification_row row = {.status = VERIFICATION_NONE, .code_length = 6};
    struct verification_asked asked;
    uint64_t company;
    enum outcome outcome = find_company(engine, command, &company);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (verification_asked_find(engine->txn, command->to, company, now_ms, &asked) &&
        !verification_find(engine->txn, asked.row.current, &row))
        assert(!"a number's newest verification that is not there");
    free_ms = verification_checks_free_ms(engine->txn, &asked, &attempts_free_ms);
    if (attempts_free_ms > free_ms)
        free_ms = attempts_free_ms;
    if (free_ms > now_ms) {
        check->retry_ms = free_ms - now_ms;
        return OUTCOME_TOO_MANY_ATTEMPTS;
    }
    row.company = company;
    if (row.status == VERIFICATION_PENDING && row.expires_ms <= now_ms)
        verification_end(engine, &row, VERIFICATION_EXPIRED);
    *check =
        (struct verification_check_result){.is_valid = is_code(engine->txn, &row, command->code)};
    if (check->is_valid) {
        check->verification = row.number;
        note_right(engine, &row, &asked);
    } else {
        note_wrong(engine, command->to, &row, &asked);
    }
    return OUTCOME_OK;
}
