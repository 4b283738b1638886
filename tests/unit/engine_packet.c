/* engine/packet…: the safety net under the due index, what the audit knows of packets, and rows
 * that clients do not see. What clients see is told in tests/e2e. */
#include "engine_world.h"
#include "store_fixture.h"

#include "base/bytes.h"
#include "base/id.h"
#include "engine/audit.h"
#include "engine/due.h"
#include "engine/engine.h"
#include "engine/exception.h"
#include "engine/ledger.h"
#include "engine/packet.h"

#define START_MS (ID_EPOCH_MS + INT64_C(1000000000))

/* Where the rows are; of each test its own. */
static struct fixture fixture;

static uint64_t send(struct world *world, int64_t amount, uint32_t count)
{
    struct command command = {.type = COMMAND_PACKET_SEND};

    command.of.packet_send = (struct packet_send_command){.sender = TEXT("A"),
                                                          .amount = amount,
                                                          .count = count,
                                                          .kind = PACKET_LUCKY,
                                                          .split = SPLIT_DOUBLE_MEAN,
                                                          .expires_in_ms = 60000,
                                                          .open_max = 10,
                                                          .seed = {1, 2, 3}};
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
    return command.number;
}

static struct result grab(struct world *world, uint64_t packet, struct text user, bool is_open)
{
    struct command command = {.type = COMMAND_PACKET_GRAB};

    command.of.packet_grab =
        (struct packet_grab_command){.packet = packet, .user = user, .is_open = is_open};
    return apply(world, &command);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct command command = {.type = COMMAND_BOOTSTRAP};

    assert_non_null(world);
    fixture_init(&fixture);
    fixture.options.overlay_bytes_max = 64 << 20;
    fixture.options.journal_segment_bytes = 4 << 20;
    fixture.options.journal_bytes_max = 32 << 20;
    fixture_open(&fixture);
    world->store = fixture.store;
    world->now_ms = START_MS;
    apply(world, &command);
    topup(world, "A", 1000000);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    fixture_release(&fixture);
    free(*state);
    return 0;
}

static struct packet_row row_of(struct world *world, uint64_t packet)
{
    struct txn *txn = store_begin(world->store);
    struct packet_row row;

    assert_true(packet_find(txn, packet, &row));
    store_abort(txn);
    return row;
}

static bool is_forgotten(struct world *world, uint64_t packet)
{
    struct txn *txn = store_begin(world->store);
    bool is = packet_is_forgotten(txn, packet, world->now_ms);

    store_abort(txn);
    return is;
}

static void lose_due_row(struct world *world, const struct packet_row *row)
{
    struct txn *txn = store_begin(world->store);
    char key[17];

    bytes_put_u64_be(key, (uint64_t)row->due_ms);
    key[8] = DUE_PACKET_EXPIRY;
    bytes_put_u64_be(key + 9, row->number);
    assert_true(txn_delete(txn, TABLE_DUE, key, sizeof key));
    store_commit(txn);
}

/* PKT-10 */
static void a_packet_that_the_due_index_lost_is_found_and_put_back(void **state)
{
    struct world *world = *state;
    uint64_t packet = send(world, 100, 3);
    struct packet_row row = row_of(world, packet);
    struct command command = {.type = COMMAND_PACKET_SWEEP, .of.packet_sweep.packet = packet};

    assert_true(effect.due_first_ms == START_MS + 60000);
    assert_false(is_forgotten(world, packet));
    lose_due_row(world, &row);
    assert_false(is_forgotten(world, packet)); /* not yet its time */
    world->now_ms += 60000;
    assert_true(is_forgotten(world, packet));
    assert_int_equal(run_due(world), 0);
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
    assert_true(effect.due_first_ms <= world->now_ms); /* the due job hears of it */
    assert_false(is_forgotten(world, packet));
    assert_int_equal(run_due(world), 1);
    row = row_of(world, packet);
    assert_int_equal(row.status, PACKET_STATUS_REFUNDED);
    assert_int_equal(row.refunded, 100);
    assert_int_equal(run_due(world), 0);
    assert_int_equal(apply(world, &command).outcome,
                     OUTCOME_OK); /* done with: nothing to put back */
    assert_int_equal(run_due(world), 0);
}

/* PKT-10 */
static void expiry_comes_at_its_millisecond_and_not_before(void **state)
{
    struct world *world = *state;
    uint64_t packet = send(world, 100, 1);

    world->now_ms = START_MS + 59999;
    assert_int_equal(run_due(world), 0);
    assert_int_equal(grab(world, packet, TEXT("B"), false).outcome, OUTCOME_OK);
    world->now_ms++;
    assert_int_equal(grab(world, packet, TEXT("C"), true).outcome, OUTCOME_PACKET_EXPIRED);
    assert_int_equal(run_due(world), 1);
    assert_int_equal(row_of(world, packet).refunded, 100);
}

static void an_emptied_packet_leaves_nothing_to_wait_for(void **state)
{
    struct world *world = *state;
    uint64_t packet = send(world, 2, 2);
    struct txn *txn;
    struct txn_walk *walk;
    struct due due;

    assert_int_equal(grab(world, packet, TEXT("B"), true).outcome, OUTCOME_OK);
    assert_int_equal(grab(world, packet, TEXT("C"), true).outcome, OUTCOME_OK);
    txn = store_begin(world->store);
    assert_false(due_first(txn, &(struct due){0}, INT64_MAX, &due));
    walk = txn_walk(txn, TABLE_PACKET_UNFINISHED, WALK_UP, NULL, 0);
    assert_false(txn_walk_next(walk));
    txn_walk_end(walk);
    store_abort(txn);
    assert_int_equal(row_of(world, packet).closed_ms, world->now_ms);
}

/* PKT-4: the list is kept at send, and a grab takes the next of it, over the pieces' edges too. */
static void a_grab_takes_the_next_share_of_the_list(void **state)
{
    struct world *world = *state;
    uint32_t count = PACKET_SHARES_PER_PIECE + 5;
    uint64_t packet = send(world, 100000, count);
    struct split split = {SPLIT_DOUBLE_MEAN, 100000, count};
    uint32_t *shares = malloc(count * sizeof *shares);
    uint8_t seed[SPLIT_SEED_SIZE] = {1, 2, 3};

    assert_non_null(shares);
    split_shares(&split, seed, shares);
    for (uint32_t i = 0; i < count; i++) {
        char id[16];
        struct text user = {id, (size_t)snprintf(id, sizeof id, "u%u", i)};
        struct result result = grab(world, packet, user, i % 2 == 0);
        assert_int_equal(result.outcome, OUTCOME_OK);
        assert_int_equal(result.of.grab.share, i);
        assert_int_equal(result.of.grab.amount, shares[i]);
    }
    assert_int_equal(grab(world, packet, TEXT("late"), true).outcome, OUTCOME_PACKET_EMPTY);
    free(shares);
}

/* --- the audit -----------------------------------------------------------------------------------
 */

struct forgery {
    struct audit audit;
    enum table table; /* whose rows are changed; 0: none */
    void (*change)(char *value);
};

static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct forgery *forgery = context;
    char copy[VALUE_BYTES_MAX];

    memcpy(copy, value, value_size);
    if (table == forgery->table)
        forgery->change(copy);
    audit_row(&forgery->audit, table, key, key_size, copy, value_size);
    return 0;
}

/* What the audit finds wrong; "" if nothing. */
static const char *audit_with(enum table table, void (*change)(char *value))
{
    static struct forgery forgery;
    struct buffer summary;

    forgery = (struct forgery){.table = table, .change = change};
    audit_init(&forgery.audit, true);
    buffer_init(&summary);
    assert_int_equal(store_verify(fixture.data, &summary, &fixture.why, on_row, &forgery), 0);
    buffer_release(&summary);
    audit_finish(&forgery.audit);
    return forgery.audit.fault;
}

static void credit_one_more(char *value)
{
    struct packet_row row;

    memcpy(&row, value, sizeof row);
    row.credited++;
    memcpy(value, &row, sizeof row);
}

static void enlarge_first_share(char *value)
{
    value[0]++;
}

static void open_it(char *value)
{
    struct grab_row row;

    memcpy(&row, value, sizeof row);
    row.is_opened = !row.is_opened;
    memcpy(value, &row, sizeof row);
}

/* BILL-12, PKT-9 */
static void the_audit_sees_what_packets_contain(void **state)
{
    struct world *world = *state;
    uint64_t packet = send(world, 1000, 5);

    grab(world, packet, TEXT("B"), true);
    grab(world, packet, TEXT("C"), false);
    send(world, 77, 7);
    fixture_close(&fixture, true);
    assert_string_equal(audit_with(0, NULL), "");
    assert_non_null(strstr(audit_with(TABLE_PACKET, credit_one_more), "packets contain"));
    assert_non_null(strstr(audit_with(TABLE_PACKET_SHARES, enlarge_first_share),
                           "shares of a packet do not sum"));
    assert_non_null(strstr(audit_with(TABLE_GRAB, open_it), "shares that were opened"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_packet_that_the_due_index_lost_is_found_and_put_back,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(expiry_comes_at_its_millisecond_and_not_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_emptied_packet_leaves_nothing_to_wait_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_grab_takes_the_next_share_of_the_list, setup, teardown),
        cmocka_unit_test_setup_teardown(the_audit_sees_what_packets_contain, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
