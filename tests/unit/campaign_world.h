/* For tests of campaigns: the world of messages, and each step of a campaign's life as a line. */
#ifndef SMSD_TESTS_CAMPAIGN_WORLD_H
#define SMSD_TESTS_CAMPAIGN_WORLD_H

#include "message_world.h"

#include "engine/campaign.h"

enum { MANY = 200, DRAFT_MS = 30 * 60 * 60 * 1000 };

/* --- steps ---------------------------------------------------------------------------------------
 */

__attribute__((unused)) static struct campaign_create_command marketing(void)
{
    return (struct campaign_create_command){.company = TEXT("acme"),
                                            .name = TEXT("spring"),
                                            .content = TEXT("Buy!"),
                                            .kind = MESSAGE_KIND_MARKETING,
                                            .callback_url = TEXT("https://client.example/told"),
                                            .draft_ms = DRAFT_MS,
                                            .tries_max = 2};
}

__attribute__((unused)) static struct campaign_create_command by_template(void)
{
    static const struct template_param params[] = {{{"what", 4}, {"all is well", 11}}};
    struct campaign_create_command create = marketing();

    create.content = NO_TEXT;
    create.kind = 0;
    create.template = TEXT("note");
    create.params = params;
    create.param_count = 1;
    return create;
}

__attribute__((unused)) static struct result try_create(struct world *world,
                                                        struct campaign_create_command create)
{
    struct command command = {.type = COMMAND_CAMPAIGN_CREATE};

    command.of.campaign_create = create;
    return apply(world, &command);
}

__attribute__((unused)) static uint64_t create(struct world *world,
                                               struct campaign_create_command asked)
{
    struct result result = try_create(world, asked);

    assert_int_equal(result.outcome, OUTCOME_OK);
    assert_int_equal(result.of.campaign.row.status, CAMPAIGN_DRAFT);
    return result.number;
}

__attribute__((unused)) static struct campaign_row campaign(struct world *world, uint64_t number)
{
    struct txn *txn = store_begin(world->store);
    struct campaign_row row;

    assert_true(campaign_find(txn, number, &row));
    store_abort(txn);
    return row;
}

__attribute__((unused)) static struct result
try_upload(struct world *world, uint64_t number, const struct campaign_line *lines, size_t count)
{
    struct command command = {.type = COMMAND_CAMPAIGN_RECIPIENTS};

    command.of.campaign_recipients = (struct campaign_recipients_command){
        .campaign = number, .lines = lines, .count = count, .draft_ms = DRAFT_MS};
    return apply(world, &command);
}

__attribute__((unused)) static struct campaign_recipients_result
upload(struct world *world, uint64_t number, const struct campaign_line *lines, size_t count)
{
    struct result result = try_upload(world, number, lines, count);

    assert_int_equal(result.outcome, OUTCOME_OK);
    return result.of.campaign_recipients;
}

/* Numbers +8613800000000 and on. */
__attribute__((unused)) static void upload_many(struct world *world, uint64_t number, int count)
{
    for (int done = 0; done < count;) {
        struct campaign_line lines[CAMPAIGN_LINES_MAX];
        char numbers[CAMPAIGN_LINES_MAX][24];
        int some = 0;
        for (; some < CAMPAIGN_LINES_MAX && done < count; some++, done++) {
            snprintf(numbers[some], sizeof numbers[some], "+86138%08d", done);
            lines[some] = (struct campaign_line){
                .line = (uint64_t)done + 1, .outcome = OUTCOME_OK, .to = text_of(numbers[some])};
        }
        assert_int_equal(upload(world, number, lines, (size_t)some).accepted, some);
    }
}

__attribute__((unused)) static enum outcome change(struct world *world, enum command_type type,
                                                   uint64_t number)
{
    struct command command = {.type = type};

    command.of.campaign_confirm.campaign = number;
    return apply(world, &command).outcome;
}

__attribute__((unused)) static void confirm(struct world *world, uint64_t number)
{
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CONFIRM, number), OUTCOME_OK);
}

__attribute__((unused)) static void expect_campaign(struct world *world, uint64_t number,
                                                    enum campaign_status status)
{
    struct campaign_row row = campaign(world, number);

    assert_string_equal(campaign_status_text((enum campaign_status)row.status),
                        campaign_status_text(status));
}

/* What its account holds. */
__attribute__((unused)) static int64_t held(struct world *world)
{
    return purse_row(world).held;
}

/* Everything that waits in outboxes goes and is accepted, and so on until nothing waits. */
__attribute__((unused)) static int send_all(struct world *world)
{
    static int ids;

    for (int count = 0;; count++) {
        struct outbox_item item;
        enum message_kind lane;
        struct txn_walk *walk;
        struct txn *txn;
        uint64_t product;
        bool is_there;
        char id[16];
        run_due(world);
        txn = store_begin(world->store);
        walk = txn_walk(txn, TABLE_OUTBOX, WALK_UP, NULL, 0);
        is_there = txn_walk_next(walk) &&
                   outbox_read_key(walk->key, walk->key_size, &product, &lane, &item);
        txn_walk_end(walk);
        store_abort(txn);
        if (!is_there)
            return count;
        snprintf(id, sizeof id, "id%d", ids++);
        accept(world, item.message, id);
    }
}

/* The recipient's row. */
__attribute__((unused)) static struct campaign_recipient_row recipient(struct world *world,
                                                                       uint64_t number, uint64_t to)
{
    struct txn *txn = store_begin(world->store);
    struct campaign_recipient found;
    char key[CAMPAIGN_KEY_SIZE];
    const void *value;
    size_t size;

    campaign_key(key, number, to);
    value = txn_get(txn, TABLE_CAMPAIGN_RECIPIENT, key, sizeof key, &size);
    assert_non_null(value);
    assert_true(campaign_recipient_read(key, sizeof key, value, size, &found));
    store_abort(txn);
    return found.row;
}

/* The codes of its errors in order: "malformed_json duplicate". */
__attribute__((unused)) static const char *errors(struct world *world, uint64_t number)
{
    static char codes[1024];
    struct txn *txn = store_begin(world->store);
    char from[CAMPAIGN_KEY_SIZE];
    struct txn_walk *walk;

    codes[0] = '\0';
    campaign_key(from, number, 0);
    walk = txn_walk(txn, TABLE_CAMPAIGN_ERROR, WALK_UP, from, sizeof from);
    while (txn_walk_next(walk) && memcmp(walk->key, from, 8) == 0) {
        struct campaign_error error;
        size_t size = strlen(codes);
        assert_true(
            campaign_error_read(walk->key, walk->key_size, walk->value, walk->value_size, &error));
        snprintf(codes + size, sizeof codes - size, "%s%s%s%.*s", size > 0 ? " " : "",
                 outcome_infos[error.row.outcome].code, error.field.size > 0 ? ":" : "",
                 (int)error.field.size, error.field.data == NULL ? "" : error.field.data);
    }
    txn_walk_end(walk);
    store_abort(txn);
    return codes;
}

/* The statuses that were told of campaigns, in order. */
__attribute__((unused)) static const char *told_of(struct world *world)
{
    return texts_told(world, WEBHOOK_CAMPAIGN_STATUS, 2);
}

#endif
