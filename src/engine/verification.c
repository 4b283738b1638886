/* Making and checking codes, and the end of each (engine/verification.h). What is hard about it is
 * what an attacker could learn or get by it: a check does the same whether there is a code or not,
 * and wrong ones are counted where no new code clears them. */
#include "engine/verification.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/catalog.h"
#include "engine/due.h"
#include "engine/handler.h"
#include "engine/mobile.h"

enum { ROW_VERSION = 1, NUMBER_KEY_SIZE = 16 };

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
    assert(row->version == ROW_VERSION && row->number == number);
    return true;
}

/* With its row in the due index where it is to be. */
static void store(struct engine *engine, struct verification_row *row, int64_t due_ms)
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

static bool is_good(const struct verification_row *row, int64_t now_ms)
{
    return row->status == VERIFICATION_PENDING && row->expires_ms > now_ms;
}

/* Of a number and a company: the newest code, and wrong checks. */
struct asked {
    struct verification_number_row row;
    int64_t wrong_ms[VERIFICATION_WRONG_MAX];
};

static void asked_key(char key[NUMBER_KEY_SIZE], uint64_t to, uint64_t company)
{
    bytes_put_u64_be(key, to);
    bytes_put_u64_be(key + 8, company);
}

/* Wrong checks that are forgotten are left out. False: there is nothing. */
static bool asked_find(struct txn *txn, uint64_t to, uint64_t company, int64_t now_ms,
                       struct asked *asked)
{
    char key[NUMBER_KEY_SIZE];
    size_t size, old = 0;
    const void *value;

    asked_key(key, to, company);
    value = txn_get(txn, TABLE_VERIFICATION_NUMBER, key, sizeof key, &size);
    asked->row = (struct verification_number_row){.version = ROW_VERSION};
    if (value == NULL)
        return false;
    assert(size >= sizeof asked->row && size <= sizeof *asked);
    memcpy(asked, value, size);
    assert(asked->row.version == ROW_VERSION &&
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

static void asked_store(struct engine *engine, uint64_t to, uint64_t company,
                        const struct asked *asked)
{
    char key[NUMBER_KEY_SIZE];

    asked_key(key, to, company);
    txn_put(engine->txn, TABLE_VERIFICATION_NUMBER, key, sizeof key, asked,
            sizeof asked->row + asked->row.wrong_count * sizeof *asked->wrong_ms);
}

/* When the next check is answered; 0: now. */
static int64_t checks_free_ms(struct txn *txn, const struct asked *asked, int64_t *attempts_free_ms)
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
static void end(struct engine *engine, struct verification_row *row,
                enum verification_status status)
{
    int64_t forget_ms = row->created_ms + VERIFICATION_KEPT_MS;
    int64_t counted_ms = engine->command->now_ms + VERIFICATION_COUNTED_MS;

    assert(row->status == VERIFICATION_PENDING);
    row->status = (uint8_t)status;
    row->ended_ms = engine->command->now_ms;
    engine->effect->verification_steps[status]++;
    verification_count_end(engine, row);
    store(engine, row, forget_ms > counted_ms ? forget_ms : counted_ms);
}

/* A wrong check of the last day keeps it, and the count of wrong ones with it. */
static void forget(struct engine *engine, struct verification_row *row)
{
    char key[NUMBER_KEY_SIZE];
    struct asked asked;

    if (asked_find(engine->txn, row->to, row->company, engine->command->now_ms, &asked) &&
        asked.row.current == row->number) {
        if (asked.row.wrong_count > 0) {
            store(engine, row, asked.wrong_ms[asked.row.wrong_count - 1] + DAY_MS);
            return;
        }
        asked_key(key, row->to, row->company);
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
        end(engine, &row, VERIFICATION_EXPIRED);
    else
        forget(engine, &row);
    return OUTCOME_OK;
}

bool verification_is_over(struct engine *engine, const struct message_text_row *text)
{
    struct verification_row row;

    return !verification_find(engine->txn, text->origin, &row) ||
           !is_good(&row, engine->command->now_ms);
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
    store(engine, &row, row.due_ms);
}

/* --- making --------------------------------------------------------------------------------------
 */

static int64_t given_or(struct txn *txn, int64_t given, enum setting setting)
{
    return given != 0 ? given : setting_int(txn, setting);
}

static uint8_t code_length(const struct verification_create_command *command, struct txn *txn)
{
    return (uint8_t)given_or(txn, command->code_length, SETTING_VERIFICATION_CODE_LENGTH);
}

static int64_t valid_ms(const struct verification_create_command *command, struct txn *txn)
{
    return 1000 * given_or(txn, command->valid_s, SETTING_VERIFICATION_VALID_SECONDS);
}

void verification_message(const struct verification_create_command *command, struct txn *txn,
                          int64_t now_ms, struct template_param params[TEMPLATE_NAMES_MAX + 1],
                          struct message_submit_command *submit)
{
    static const char zeros[] = "0000000000";

    static_assert(sizeof zeros - 1 == VERIFICATION_CODE_MAX, "as many as a code may have");
    *submit = command->message;
    assert(submit->param_count <= TEMPLATE_NAMES_MAX && submit->template.data != NULL);
    if (submit->param_count > 0)
        memcpy(params, submit->params, submit->param_count * sizeof *params);
    params[submit->param_count++] =
        (struct template_param){TEXT("code"), {zeros, code_length(command, txn)}};
    submit->params = params;
    submit->expire_at_ms = now_ms + valid_ms(command, txn);
}

/* Where the code is in the template's text. OUTCOME_OK also where the plan of the message will find
 * what is wrong. */
static enum outcome find_places(struct txn *txn, const struct message_submit_command *submit,
                                struct template_places *places)
{
    struct catalog_thing template;

    *places = (struct template_places){.count = 0};
    if (!catalog_find(txn, CATALOG_TEMPLATE, submit->template, &template) ||
        template.status != CATALOG_ENABLED ||
        !catalog_texts_have(&template, TEMPLATE_COMPANIES, submit->company))
        return OUTCOME_OK;
    template_find_places(catalog_text(&template, TEMPLATE_CONTENT), submit->params,
                         submit->param_count, TEXT("code"), places);
    if (catalog_int(&template, TEMPLATE_KIND) != MESSAGE_KIND_VERIFICATION || places->count == 0 ||
        places->count > VERIFICATION_PLACES_MAX)
        return OUTCOME_UNSUITABLE_TEMPLATE;
    return OUTCOME_OK;
}

/* The message, and where the code is in it. */
static enum outcome send(struct engine *engine, const struct message_submit_command *submit,
                         const struct template_places *places, struct verification_row *row)
{
    struct message_submit_result made;
    struct message_text text;
    enum outcome outcome;
    size_t before;

    row->message = engine_next_number(engine);
    outcome = message_submit(engine,
                             &(struct message_made){.submit = submit,
                                                    .number = row->message,
                                                    .origin = MESSAGE_FROM_VERIFICATION,
                                                    .origin_number = row->number},
                             &made);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!message_text_find(engine->txn, row->message, &text))
        assert(!"a message that was just made");
    assert(places->count > 0 && places->count <= VERIFICATION_PLACES_MAX &&
           places->size <= text.content.size);
    before = text.content.size - places->size; /* a signature */
    row->place_count = (uint8_t)places->count;
    for (size_t i = 0; i < places->count; i++)
        row->places[i] = (uint16_t)(before + places->at[i]);
    return OUTCOME_OK;
}

/* Its message need not go any more, if it has not gone. */
static void take_back(struct engine *engine, uint64_t number)
{
    struct verification_row row;
    struct message_row message;

    if (verification_find(engine->txn, number, &row) && row.status == VERIFICATION_PENDING &&
        message_find(engine->txn, row.message, &message) && message.status == MESSAGE_QUEUED)
        message_end(engine, &message, MESSAGE_CANCELED, MESSAGE_ERROR_NONE, (struct text){NULL, 0});
}

/* The one before, if it is good still, is so no longer; what was checked wrongly today is not
 * forgotten. */
static void replace(struct engine *engine, const struct verification_row *row)
{
    struct verification_row before;
    struct asked asked;

    asked_find(engine->txn, row->to, row->company, row->created_ms, &asked);
    take_back(engine, asked.row.current);
    if (verification_find(engine->txn, asked.row.current, &before)) {
        if (before.status == VERIFICATION_PENDING)
            end(engine, &before, VERIFICATION_REPLACED);
        else if (before.status == VERIFICATION_NONE)
            store(engine, &before, engine->command->now_ms + 1);
    }
    asked.row.attempts = 0;
    asked.row.current = row->number;
    asked_store(engine, row->to, row->company, &asked);
}

static struct verification_row begin(struct engine *engine,
                                     const struct verification_create_command *command)
{
    int64_t now_ms = engine->command->now_ms;
    struct catalog_thing company;
    struct verification_row row = {.version = ROW_VERSION,
                                   .status = VERIFICATION_PENDING,
                                   .code_length = code_length(command, engine->txn),
                                   .address_kind = (uint8_t)command->address_kind,
                                   .number = engine->command->number,
                                   .address = command->address,
                                   .created_ms = now_ms,
                                   .expires_ms = now_ms + valid_ms(command, engine->txn)};

    memcpy(row.seed, command->seed, sizeof row.seed);
    /* What is no number, or no company, is refused by the message's plan, which has the words for
     * it. */
    if (mobile_parse(command->message.to, &row.to))
        row.prefix = verification_prefix(engine->txn, row.to);
    if (catalog_find(engine->txn, CATALOG_COMPANY, command->message.company, &company))
        row.company = company.number;
    return row;
}

/* May there be one more? In the answer of a refusal: until when not, and why. */
static enum outcome admit(struct engine *engine, const struct verification_row *row,
                          struct verification_result *made)
{
    enum verification_cap cap = verification_cap_reached(engine, row, &made->retry_ms);
    int64_t free_ms, attempts_free_ms;
    struct asked asked;

    made->cap = (uint8_t)cap;
    if (cap != VERIFICATION_CAP_NONE)
        return OUTCOME_TOO_MANY_CODES;
    asked_find(engine->txn, row->to, row->company, row->created_ms, &asked);
    free_ms = checks_free_ms(engine->txn, &asked, &attempts_free_ms);
    made->retry_ms = free_ms - row->created_ms;
    return free_ms > row->created_ms ? OUTCOME_TOO_MANY_ATTEMPTS : OUTCOME_OK;
}

enum outcome engine_verification_create(struct engine *engine,
                                        const struct verification_create_command *command,
                                        struct result *answer)
{
    struct verification_row row = begin(engine, command);
    struct template_param params[TEMPLATE_NAMES_MAX + 1];
    struct message_submit_command submit;
    struct template_places places;
    enum outcome outcome;

    outcome = admit(engine, &row, &answer->of.verification);
    if (outcome != OUTCOME_OK)
        return outcome;
    verification_message(command, engine->txn, row.created_ms, params, &submit);
    outcome = find_places(engine->txn, &submit, &places);
    if (outcome == OUTCOME_OK)
        outcome = send(engine, &submit, &places, &row);
    if (outcome != OUTCOME_OK)
        return outcome;
    replace(engine, &row);
    verification_count_made(engine, &row);
    store(engine, &row, row.expires_ms);
    engine->effect->verification_steps[VERIFICATION_PENDING]++;
    answer->of.verification = (struct verification_result){.message = row.message,
                                                           .to = row.to,
                                                           .expires_ms = row.expires_ms,
                                                           .code_length = row.code_length};
    return OUTCOME_OK;
}

/* --- checking ------------------------------------------------------------------------------------
 */

/* The company whose code is meant by a caller who does not say: the one whose is the newest of
 * those that are good, else of all. Checks alone, of whichever company, never take its place. */
static uint64_t company_of_newest(struct txn *txn, uint64_t to, int64_t now_ms)
{
    struct verification_row newest = {.status = VERIFICATION_NONE}, row;
    char key[NUMBER_KEY_SIZE];
    struct txn_walk *walk;

    asked_key(key, to, 0);
    walk = txn_walk(txn, TABLE_VERIFICATION_NUMBER, WALK_UP, key, sizeof key);
    txn_walk_within(walk, 8);
    while (txn_walk_next(walk)) {
        struct verification_number_row number;
        memcpy(&number, walk->value, sizeof number);
        if (!verification_find(txn, number.current, &row) || row.status == VERIFICATION_NONE)
            continue;
        if (is_good(&row, now_ms) == is_good(&newest, now_ms) ? row.number > newest.number
                                                              : is_good(&row, now_ms))
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
static void begin_none(struct engine *engine, uint64_t to, uint64_t company, struct asked *asked)
{
    struct verification_row row = {.version = ROW_VERSION,
                                   .status = VERIFICATION_NONE,
                                   .number = engine->command->number,
                                   .to = to,
                                   .company = company,
                                   .created_ms = engine->command->now_ms};

    asked->row.current = row.number;
    store(engine, &row, row.created_ms + VERIFICATION_KEPT_MS);
}

static void note_wrong(struct engine *engine, uint64_t to, struct verification_row *row,
                       struct asked *asked)
{
    int64_t most = setting_int(engine->txn, SETTING_VERIFICATION_ATTEMPTS);

    assert(asked->row.wrong_count < VERIFICATION_WRONG_MAX);
    asked->wrong_ms[asked->row.wrong_count++] = engine->command->now_ms;
    asked->row.attempt_ms = engine->command->now_ms;
    asked->row.attempts++;
    engine->effect->is_check_wrong = true;
    if (asked->row.current == 0)
        begin_none(engine, to, row->company, asked);
    asked_store(engine, to, row->company, asked);
    if (row->status != VERIFICATION_PENDING)
        return;
    row->wrong++;
    if (row->wrong >= most)
        end(engine, row, VERIFICATION_LOCKED);
    else
        store(engine, row, row->due_ms);
}

static void note_right(struct engine *engine, struct verification_row *row, struct asked *asked)
{
    asked->row.attempts = 0;
    asked_store(engine, row->to, row->company, asked);
    end(engine, row, VERIFICATION_VERIFIED);
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
    struct asked asked;
    uint64_t company;
    enum outcome outcome = find_company(engine, command, &company);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (asked_find(engine->txn, command->to, company, now_ms, &asked) &&
        !verification_find(engine->txn, asked.row.current, &row))
        assert(!"a number's newest verification that is not there");
    free_ms = checks_free_ms(engine->txn, &asked, &attempts_free_ms);
    if (attempts_free_ms > free_ms)
        free_ms = attempts_free_ms;
    if (free_ms > now_ms) {
        check->retry_ms = free_ms - now_ms;
        return OUTCOME_TOO_MANY_ATTEMPTS;
    }
    row.company = company;
    if (row.status == VERIFICATION_PENDING && row.expires_ms <= now_ms)
        end(engine, &row, VERIFICATION_EXPIRED);
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
