/* For tests of verifications: the world of messages, and codes that are made and checked by a line
 * each. */
#ifndef SMSD_TESTS_VERIFICATION_WORLD_H
#define SMSD_TESTS_VERIFICATION_WORLD_H

#include "message_world.h"

#include "engine/mobile.h"
#include "engine/verification.h"

#define SECOND_MS INT64_C(1000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define TO        "+8613812345678"

/* --- steps ---------------------------------------------------------------------------------------
 */

__attribute__((unused)) static struct command asked(const char *to)
{
    static uint8_t seed;
    struct command command = {.type = COMMAND_VERIFICATION_CREATE};
    struct verification_create_command *create = &command.of.verification_create;

    create->message = (struct message_submit_command){
        .company = TEXT("acme"), .to = text_of(to), .template = TEXT("code"), .tries_max = 2};
    memset(create->seed, ++seed, sizeof create->seed);
    return command;
}

__attribute__((unused)) static struct result try_make(struct world *world, const char *to)
{
    struct command command = asked(to);

    return apply(world, &command);
}

__attribute__((unused)) static struct result make(struct world *world, const char *to)
{
    struct result result = try_make(world, to);

    assert_int_equal(result.outcome, OUTCOME_OK);
    return result;
}

/* How long it is refused, and by which cap. */
__attribute__((unused)) static int64_t refused_for(struct world *world, const char *to,
                                                   enum verification_cap cap)
{
    struct result result = try_make(world, to);

    assert_int_equal(result.outcome, OUTCOME_TOO_MANY_CODES);
    assert_int_equal(result.of.verification.cap, cap);
    return result.of.verification.retry_ms;
}

__attribute__((unused)) static struct verification_row verification_of(struct world *world,
                                                                       struct result made)
{
    struct txn *txn = store_begin(world->store);
    struct verification_row row;

    assert_true(verification_find(txn, made.number, &row));
    store_abort(txn);
    return row;
}

/* As the recipient reads it. */
__attribute__((unused)) static const char *text_sent(struct world *world, struct result made)
{
    static struct message_text text;
    static char sent[MESSAGE_CONTENT_MAX + 1];
    struct txn *txn = store_begin(world->store);
    struct message_row row;

    assert_true(message_text_to_send(txn, made.of.verification.message, &row, &text));
    store_abort(txn);
    snprintf(sent, sizeof sent, "%.*s", (int)text.content.size, text.content.data);
    return sent;
}

__attribute__((unused)) static const char *code_of(struct world *world, struct result made)
{
    return text_sent(world, made) + strlen("Your code is ");
}

__attribute__((unused)) static struct result try_check(struct world *world, const char *company,
                                                       const char *to, const char *code)
{
    struct command command = {.type = COMMAND_VERIFICATION_CHECK};
    struct verification_check_command *check = &command.of.verification_check;

    assert_true(mobile_parse(text_of(to), &check->to));
    check->company = company == NULL ? NO_TEXT : text_of(company);
    check->code = text_of(code);
    return apply(world, &command);
}

__attribute__((unused)) static bool is_valid(struct world *world, const char *to, const char *code)
{
    struct result result = try_check(world, "acme", to, code);

    assert_int_equal(result.outcome, OUTCOME_OK);
    return result.of.verification_check.is_valid;
}

__attribute__((unused)) static int64_t check_refused_for(struct world *world, const char *to,
                                                         const char *code)
{
    struct result result = try_check(world, "acme", to, code);

    assert_int_equal(result.outcome, OUTCOME_TOO_MANY_ATTEMPTS);
    return result.of.verification_check.retry_ms;
}

__attribute__((unused)) static void set(struct world *world, const char *name, const char *value)
{
    struct catalog_draft draft;

    catalog_draft_init(&draft, CATALOG_SETTING);
    catalog_draft_text(&draft, SETTING_VALUE, text_of(value));
    assert_int_equal(put(world, name, &draft), OUTCOME_OK);
}

__attribute__((unused)) static void expect_verification(struct world *world, struct result made,
                                                        enum verification_status status)
{
    assert_string_equal(
        verification_status_text((enum verification_status)verification_of(world, made).status),
        verification_status_text(status));
}

__attribute__((unused)) static size_t rows_left(struct world *world)
{
    return count_rows(world, TABLE_VERIFICATION) + count_rows(world, TABLE_VERIFICATION_NUMBER) +
           count_rows(world, TABLE_VERIFICATION_TO) + count_rows(world, TABLE_VERIFICATION_RATE);
}

__attribute__((unused)) static void wait_until(struct world *world, int64_t at_ms)
{
    world->now_ms = at_ms;
    run_due(world);
}

/* From an address; each `tail` is another number of another prefix. */
__attribute__((unused)) static struct result make_from(struct world *world, uint64_t address,
                                                       int tail)
{
    struct command command;
    char to[32];

    snprintf(to, sizeof to, "+86138%08d", tail * 10007 % 100000000);
    command = asked(to);
    command.of.verification_create.address_kind = VERIFICATION_RATE_V6;
    command.of.verification_create.address = address;
    return apply(world, &command);
}

#endif
