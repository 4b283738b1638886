/* The shadow of verifications (SMS-17): every code that was made and every wrong check, as lists
 * that are gone through anew for each question. What a message costs and whether it can go is not
 * foreseen (model_message.c); what caps, attempts and time say of a code is, to the millisecond. */
#include <string.h>

#include "base/bytes.h"
#include "base/hmac.h"
#include "engine/catalog.h"
#include "engine/mobile.h"
#include "engine/verification.h"
#include "model_rules.h"
#include "world.h"
#include "wrong.h"

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS, MINUTES_SEEN = 61 };

struct model_verification *model_find_verification(struct model *model, uint64_t number)
{
    for (uint32_t i = model->verifications; i > 0; i--) {
        if (model->verification[i - 1].number == number)
            return &model->verification[i - 1];
    }
    return NULL;
}

static bool is_good(const struct model_verification *it, int64_t now_ms)
{
    return it->status == VERIFICATION_PENDING && now_ms < it->expires_ms;
}

/* The newest of number and company, or the place where their wrong checks are counted. */
struct model_verification *model_newest_verification(struct model *model, uint64_t to,
                                                     uint64_t company)
{
    for (uint32_t i = model->verifications; i > 0; i--) {
        struct model_verification *it = &model->verification[i - 1];
        if (it->is_there && it->to == to && it->company == company)
            return it->is_superseded ? NULL : it;
    }
    return NULL;
}

/* --- caps ----------------------------------------------------------------------------------------
 */

/* How many of the number's codes a window that ends then has in it. */
static int64_t count_within(const struct model *model, uint64_t to, int64_t window_ms,
                            int64_t at_ms)
{
    int64_t count = 0;

    for (uint32_t i = 0; i < model->verifications; i++) {
        const struct model_verification *it = &model->verification[i];
        count += it->status != VERIFICATION_NONE && it->to == to && !it->is_back &&
                 it->created_ms > at_ms - window_ms;
    }
    return count;
}

static bool is_of_rate(const struct model_verification *it, int kind, uint64_t of)
{
    return it->status != VERIFICATION_NONE &&
           (kind == VERIFICATION_RATE_PREFIX ? it->prefix == of
                                             : it->address_kind == kind && it->address == of);
}

static int64_t count_minutes(const struct model *model, int kind, uint64_t of, int64_t at_ms)
{
    int64_t count = 0;

    for (uint32_t i = 0; i < model->verifications; i++) {
        const struct model_verification *it = &model->verification[i];
        count += is_of_rate(it, kind, of) &&
                 it->created_ms / MINUTE_MS > at_ms / MINUTE_MS - MINUTES_SEEN;
    }
    return count;
}

struct asking {
    uint64_t to, prefix, address;
    int address_kind;
};

static bool is_reached(const struct model *model, const struct asking *asking, int cap,
                       int64_t most, int64_t at_ms)
{
    switch (cap) {
    case VERIFICATION_CAP_ADDRESS_HOUR:
        return asking->address_kind != 0 &&
               count_minutes(model, asking->address_kind, asking->address, at_ms) >= most;
    case VERIFICATION_CAP_PREFIX_HOUR:
        return count_minutes(model, VERIFICATION_RATE_PREFIX, asking->prefix, at_ms) >= most;
    default:
        return count_within(model, asking->to, verification_cap_infos[cap].window_ms, at_ms) >=
               most;
    }
}

/* When something may leave the cap's window. */
static int64_t leaves_ms(int cap, int64_t created_ms)
{
    if (cap >= VERIFICATION_CAP_ADDRESS_HOUR)
        return (created_ms / MINUTE_MS + MINUTES_SEEN) * MINUTE_MS;
    return created_ms + verification_cap_infos[cap].window_ms;
}

/* The first moment at which it is not reached. */
static int64_t free_ms(const struct model *model, const struct asking *asking, int cap,
                       int64_t most, int64_t now_ms)
{
    if (!is_reached(model, asking, cap, most, now_ms))
        return now_ms;
    for (uint32_t i = 0; i < model->verifications; i++) { /* in the order of their making */
        int64_t at_ms = leaves_ms(cap, model->verification[i].created_ms);
        if (at_ms > now_ms && !is_reached(model, asking, cap, most, at_ms))
            return at_ms;
    }
    wrong("a cap that is never free again");
}

static enum verification_cap reached(const struct model *model, struct txn *txn,
                                     const struct asking *asking, int64_t now_ms, int64_t *until_ms)
{
    enum verification_cap which = VERIFICATION_CAP_NONE;

    *until_ms = now_ms;
    for (int cap = 1; cap < VERIFICATION_CAP_COUNT; cap++) {
        int64_t most = setting_int(txn, verification_cap_infos[cap].setting);
        int64_t at_ms = free_ms(model, asking, cap, most, now_ms);
        if (at_ms > *until_ms) {
            *until_ms = at_ms;
            which = (enum verification_cap)cap;
        }
    }
    return which;
}

/* --- wrong checks --------------------------------------------------------------------------------
 */

static int64_t count_wrong(const struct model *model, uint64_t to, uint64_t company, int64_t at_ms)
{
    int64_t count = 0;

    for (uint32_t i = 0; i < model->wrong_checks; i++) {
        const struct model_wrong_check *it = &model->wrong_check[i];
        count += it->to == to && it->company == company && it->at_ms > at_ms - DAY_MS;
    }
    return count;
}

/* Since the last code or right check, with no longer pause than the lock; `last_ms`: the last one.
 */
static int64_t count_attempts(const struct model *model, uint64_t to, uint64_t company,
                              int64_t now_ms, int64_t *last_ms)
{
    int64_t count = 0;

    *last_ms = 0;
    for (uint32_t i = 0; i < model->wrong_checks; i++) {
        const struct model_wrong_check *it = &model->wrong_check[i];
        if (it->to != to || it->company != company || it->is_cleared)
            continue;
        count = it->at_ms - *last_ms >= VERIFICATION_LOCK_MS ? 1 : count + 1;
        *last_ms = it->at_ms;
    }
    return now_ms - *last_ms >= VERIFICATION_LOCK_MS ? 0 : count;
}

static void clear_attempts(struct model *model, uint64_t to, uint64_t company)
{
    for (uint32_t i = 0; i < model->wrong_checks; i++) {
        if (model->wrong_check[i].to == to && model->wrong_check[i].company == company)
            model->wrong_check[i].is_cleared = true;
    }
}

/* Until when the day's wrong checks forbid everything; `now_ms`: they do not. */
static int64_t wrong_until_ms(const struct model *model, struct txn *txn, uint64_t to,
                              uint64_t company, int64_t now_ms)
{
    int64_t most = setting_int(txn, SETTING_VERIFICATION_WRONG_PER_DAY);

    if (count_wrong(model, to, company, now_ms) < most)
        return now_ms;
    for (uint32_t i = 0; i < model->wrong_checks; i++) {
        int64_t at_ms = model->wrong_check[i].at_ms + DAY_MS;
        if (at_ms > now_ms && count_wrong(model, to, company, at_ms) < most)
            return at_ms;
    }
    wrong("wrong checks that are never forgotten");
}

static int64_t checks_until_ms(const struct model *model, struct txn *txn, uint64_t to,
                               uint64_t company, int64_t now_ms)
{
    int64_t until_ms = wrong_until_ms(model, txn, to, company, now_ms), last_ms;

    if (count_attempts(model, to, company, now_ms, &last_ms) >=
            setting_int(txn, SETTING_VERIFICATION_ATTEMPTS) &&
        last_ms + VERIFICATION_LOCK_MS > until_ms)
        until_ms = last_ms + VERIFICATION_LOCK_MS;
    return until_ms;
}

/* --- ends ----------------------------------------------------------------------------------------
 */

static void watch_pumping(struct model *model, struct txn *txn, uint64_t prefix, int64_t now_ms)
{
    int64_t minutes = setting_int(txn, SETTING_VERIFICATION_PUMPING_MINUTES);
    int64_t verified = 0, unused = 0;

    for (uint32_t i = 0; i < model->pumpings; i++) {
        if (model->pumping[i].prefix == prefix && model->pumping[i].at_ms + HOUR_MS > now_ms)
            return;
    }
    for (uint32_t i = 0; i < model->verifications; i++) {
        const struct model_verification *it = &model->verification[i];
        if (!it->is_counted || it->prefix != prefix ||
            it->ended_ms / MINUTE_MS <= now_ms / MINUTE_MS - minutes)
            continue;
        verified += it->status == VERIFICATION_VERIFIED;
        unused += it->status != VERIFICATION_VERIFIED;
    }
    if (unused < setting_int(txn, SETTING_VERIFICATION_PUMPING_UNUSED) ||
        unused * 100 < (unused + verified) * setting_int(txn, SETTING_VERIFICATION_PUMPING_PERCENT))
        return;
    model->pumping[model->pumpings++] = (struct model_pumping){prefix, now_ms};
}

static void end(struct model *model, struct txn *txn, struct model_verification *it,
                enum verification_status status, int64_t now_ms)
{
    it->status = status;
    it->ended_ms = now_ms;
    it->is_counted = !it->is_back;
    it->due_ms = it->created_ms + DAY_MS;
    if (it->due_ms < now_ms + VERIFICATION_COUNTED_MS)
        it->due_ms = now_ms + VERIFICATION_COUNTED_MS;
    if (it->is_counted && status != VERIFICATION_VERIFIED)
        watch_pumping(model, txn, it->prefix, now_ms);
}

void model_verification_back(struct model *model, uint64_t message)
{
    for (uint32_t i = 0; i < model->verifications; i++) {
        struct model_verification *it = &model->verification[i];
        if (it->is_there && it->status != VERIFICATION_NONE && it->message == message)
            it->is_back = true;
    }
}

static void learn_due(struct model *model, struct txn *txn, const struct command *command)
{
    struct model_verification *it =
        model_find_verification(model, command->of.verification_due.number);
    int64_t last_ms = 0;

    must(it != NULL && it->is_there && it->due_ms <= command->now_ms);
    must(it->due_ms == command->of.verification_due.due_ms);
    if (it->status == VERIFICATION_PENDING) {
        end(model, txn, it, VERIFICATION_EXPIRED, command->now_ms);
        return;
    }
    for (uint32_t i = 0; i < model->wrong_checks; i++) {
        const struct model_wrong_check *check = &model->wrong_check[i];
        if (check->to == it->to && check->company == it->company)
            last_ms = check->at_ms;
    }
    if (!it->is_superseded && last_ms + DAY_MS > command->now_ms)
        it->due_ms = last_ms + DAY_MS;
    else
        it->is_there = false;
}

/* --- making --------------------------------------------------------------------------------------
 */

static void supersede(struct model *model, struct world *world, struct model_verification *it,
                      int64_t now_ms)
{
    const struct model_message *message = model_find_message(model, it->message);
    struct message_row row;

    it->is_superseded = true;
    if (it->status == VERIFICATION_NONE)
        it->due_ms = now_ms + 1;
    if (it->status != VERIFICATION_PENDING)
        return;
    if (message->status == MESSAGE_QUEUED) {
        must(message_find(world->txn, it->message, &row) && row.status == MESSAGE_CANCELED);
        it->is_back = row.sent_ms == 0;
    }
    end(model, world->txn, it, VERIFICATION_REPLACED, now_ms);
}

static void add(struct model *model, struct txn *txn, const struct command *command,
                const struct asking *asking, uint64_t company, const struct result *result)
{
    const struct verification_create_command *create = &command->of.verification_create;
    int64_t valid_s = create->valid_s != 0 ? create->valid_s
                                           : setting_int(txn, SETTING_VERIFICATION_VALID_SECONDS);
    struct model_verification *it = &model->verification[model->verifications++];

    *it = (struct model_verification){
        .is_there = true,
        .status = VERIFICATION_PENDING,
        .number = command->number,
        .message = result->of.verification.message,
        .to = asking->to,
        .company = company,
        .prefix = asking->prefix,
        .address = asking->address,
        .address_kind = asking->address_kind,
        .code_length = create->code_length != 0
                           ? create->code_length
                           : (uint8_t)setting_int(txn, SETTING_VERIFICATION_CODE_LENGTH),
        .created_ms = command->now_ms,
        .expires_ms = command->now_ms + 1000 * valid_s,
        .due_ms = command->now_ms + 1000 * valid_s};
    memcpy(it->seed, create->seed, sizeof it->seed);
    must(result->of.verification.expires_ms == it->expires_ms);
    must(result->of.verification.to == it->to && it->message > command->number);
    must(result->of.verification.code_length == it->code_length);
}

static uint64_t company_number(struct txn *txn, struct text id)
{
    struct catalog_thing thing;

    return catalog_find(txn, CATALOG_COMPANY, id, &thing) ? thing.number : 0;
}

static void learn_create(struct model *model, struct world *world, const struct command *command,
                         const struct result *result)
{
    const struct verification_create_command *create = &command->of.verification_create;
    struct asking asking = {.address = create->address, .address_kind = create->address_kind};
    uint64_t company = company_number(world->txn, create->message.company);
    int64_t until_ms, wrong_ms, now_ms = command->now_ms;
    struct model_verification *before;
    enum verification_cap cap;

    must(mobile_parse(create->message.to, &asking.to));
    asking.prefix = asking.to;
    for (int64_t i = setting_int(world->txn, SETTING_VERIFICATION_PREFIX_TAIL); i > 0; i--)
        asking.prefix /= 10;
    cap = reached(model, world->txn, &asking, now_ms, &until_ms);
    must((result->outcome == OUTCOME_TOO_MANY_CODES) == (cap != VERIFICATION_CAP_NONE));
    if (cap != VERIFICATION_CAP_NONE) {
        must(result->of.verification.cap == cap);
        must(result->of.verification.retry_ms == until_ms - now_ms);
        return;
    }
    wrong_ms = wrong_until_ms(model, world->txn, asking.to, company, now_ms);
    must((result->outcome == OUTCOME_TOO_MANY_ATTEMPTS) == (wrong_ms > now_ms));
    if (result->outcome == OUTCOME_TOO_MANY_ATTEMPTS)
        must(result->of.verification.retry_ms == wrong_ms - now_ms);
    if (result->outcome != OUTCOME_OK)
        return;
    before = model_newest_verification(model, asking.to, company);
    if (before != NULL)
        supersede(model, world, before, now_ms);
    clear_attempts(model, asking.to, company);
    add(model, world->txn, command, &asking, company, result);
}

/* --- checking ------------------------------------------------------------------------------------
 */

void model_code(const struct model_verification *it, char code[VERIFICATION_CODE_MAX])
{
    struct hash_key secret = WORLD_SECRET;
    uint8_t mac[SHA256_SIZE];
    uint64_t value;
    struct hmac hmac;

    hmac_init(&hmac, &secret, sizeof secret);
    hmac_update(&hmac, "smsd verification code", 23);
    hmac_update(&hmac, &it->number, sizeof it->number);
    hmac_update(&hmac, it->seed, sizeof it->seed);
    hmac_finish(&hmac, mac);
    value = bytes_get_u64_be(mac + (mac[SHA256_SIZE - 1] & 15));
    for (int i = it->code_length; i > 0; i--, value /= 10)
        code[i - 1] = (char)('0' + value % 10);
}

/* The newest of those that are good, else of all; 0: there is none. */
static uint64_t company_of(struct model *model, uint64_t to, int64_t now_ms)
{
    const struct model_verification *found = NULL;

    for (uint32_t i = 0; i < model->verifications; i++) {
        const struct model_verification *it = &model->verification[i];
        if (!it->is_there || it->is_superseded || it->to != to || it->status == VERIFICATION_NONE)
            continue;
        if (found == NULL || is_good(it, now_ms) || !is_good(found, now_ms))
            found = it;
    }
    return found == NULL ? 0 : found->company;
}

static void learn_wrong(struct model *model, struct txn *txn, const struct command *command,
                        uint64_t company, struct model_verification *it)
{
    uint64_t to = command->of.verification_check.to;

    model->wrong_check[model->wrong_checks++] =
        (struct model_wrong_check){to, company, command->now_ms, false};
    if (it == NULL)
        model->verification[model->verifications++] =
            (struct model_verification){.is_there = true,
                                        .status = VERIFICATION_NONE,
                                        .number = command->number,
                                        .to = to,
                                        .company = company,
                                        .created_ms = command->now_ms,
                                        .due_ms = command->now_ms + DAY_MS};
    else if (it->status == VERIFICATION_PENDING &&
             ++it->wrong >= setting_int(txn, SETTING_VERIFICATION_ATTEMPTS))
        end(model, txn, it, VERIFICATION_LOCKED, command->now_ms);
}

static void learn_check(struct model *model, struct world *world, const struct command *command,
                        const struct result *result)
{
    const struct verification_check_command *check = &command->of.verification_check;
    uint64_t company = check->company.data != NULL ? company_number(world->txn, check->company)
                                                   : company_of(model, check->to, command->now_ms);
    struct model_verification *it = model_newest_verification(model, check->to, company);
    int64_t until_ms = checks_until_ms(model, world->txn, check->to, company, command->now_ms);
    char code[VERIFICATION_CODE_MAX];
    bool is_valid = false;

    if (check->company.data != NULL && company == 0) {
        must(result->outcome == OUTCOME_COMPANY_NOT_FOUND);
        return;
    }
    must((result->outcome == OUTCOME_TOO_MANY_ATTEMPTS) == (until_ms > command->now_ms));
    if (until_ms > command->now_ms) {
        must(result->of.verification_check.retry_ms == until_ms - command->now_ms);
        return;
    }
    must(result->outcome == OUTCOME_OK);
    if (it != NULL && it->status == VERIFICATION_PENDING && !is_good(it, command->now_ms))
        end(model, world->txn, it, VERIFICATION_EXPIRED, command->now_ms);
    if (it != NULL && is_good(it, command->now_ms)) {
        model_code(it, code);
        is_valid = text_equals(check->code, (struct text){code, it->code_length});
    }
    must(result->of.verification_check.is_valid == is_valid);
    if (!is_valid) {
        learn_wrong(model, world->txn, command, company, it);
        return;
    }
    must(result->of.verification_check.verification == it->number);
    clear_attempts(model, it->to, it->company);
    end(model, world->txn, it, VERIFICATION_VERIFIED, command->now_ms);
}

void model_learn_verification(struct model *model, struct world *world,
                              const struct command *command, const struct result *result)
{
    if (command->type == COMMAND_VERIFICATION_CREATE)
        learn_create(model, world, command, result);
    else if (command->type == COMMAND_VERIFICATION_CHECK)
        learn_check(model, world, command, result);
    else if (command->type == COMMAND_VERIFICATION_DUE)
        learn_due(model, world->txn, command);
}
