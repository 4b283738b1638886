/* api/packet_gate and api/grab_limit: what is turned away from memory is turned away rightly, and
 * memory is bounded (PKT-6, PKT-13). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "api/grab_limit.h"
#include "api/packet_gate.h"

enum { EXPIRES_MS = 1000000, NOW_MS = 5000 };

struct user {
    char id[24];
    struct text text;
};

static struct text user_of(struct user *user, uint64_t packet, int number)
{
    int size = snprintf(user->id, sizeof user->id, "u%llu.%d", (unsigned long long)packet, number);

    user->text = (struct text){user->id, (size_t)size};
    return user->text;
}

static void take(struct packet_gate *gate, uint64_t packet, uint32_t share, uint32_t count,
                 enum packet_kind kind)
{
    struct grab_result grab = {.share = share,
                               .count = count,
                               .kind = (uint8_t)kind,
                               .expires_ms = EXPIRES_MS,
                               .currency = "CNY"};
    struct user user;

    packet_gate_note(gate, packet, user_of(&user, packet, (int)share), &grab);
}

static enum outcome check(struct packet_gate *gate, uint64_t packet, int number, int64_t now_ms)
{
    const char *currency;
    struct user user;

    return packet_gate_check(gate, packet, user_of(&user, packet, number), now_ms, &currency);
}

static void a_packet_is_empty_when_all_its_shares_were_seen_taken(void **state)
{
    struct packet_gate *gate = packet_gate_new();
    int sent_on = 0;

    (void)state;
    for (uint32_t share = 0; share < 100; share++) {
        assert_int_equal(check(gate, 7, 5000, NOW_MS), OUTCOME_OK);
        take(gate, 7, share, 100, PACKET_LUCKY);
    }
    for (int number = 0; number < 100; number++) /* who has a share is never turned away */
        assert_int_equal(check(gate, 7, number, NOW_MS), OUTCOME_OK);
    for (int number = 100; number < 10100; number++)
        sent_on += check(gate, 7, number, NOW_MS) == OUTCOME_OK;
    print_message("of 10000 late users %d were sent on to the engine\n", sent_on);
    assert_in_range(sent_on, 0, 1000);
    assert_int_equal(check(gate, 8, 5000, NOW_MS), OUTCOME_OK);
    packet_gate_free(gate);
}

static void who_comes_too_late_is_turned_away_whoever_he_is(void **state)
{
    struct packet_gate *gate = packet_gate_new();

    (void)state;
    take(gate, 7, 0, 10, PACKET_EQUAL);
    assert_int_equal(check(gate, 7, 0, EXPIRES_MS - 1), OUTCOME_OK);
    assert_int_equal(check(gate, 7, 0, EXPIRES_MS), OUTCOME_PACKET_EXPIRED);
    assert_int_equal(check(gate, 7, 99, EXPIRES_MS), OUTCOME_PACKET_EXPIRED);
    packet_gate_free(gate);
}

static void what_it_has_not_seen_from_the_first_share_it_does_not_judge(void **state)
{
    struct packet_gate *gate = packet_gate_new();

    (void)state;
    take(gate, 7, 1, 2, PACKET_LUCKY); /* the first was taken before smsd was started */
    assert_int_equal(check(gate, 7, 99, NOW_MS), OUTCOME_OK);
    take(gate, 8, 0, 1, PACKET_EXCLUSIVE); /* who is a recipient comes before emptiness */
    assert_int_equal(check(gate, 8, 99, NOW_MS), OUTCOME_OK);
    packet_gate_free(gate);
}

/* Any number of packets, of any size: old ones make room, and nobody is told a wrong thing. */
static void many_packets_are_known_within_the_bound(void **state)
{
    struct packet_gate *gate = packet_gate_new();
    int known = 0;

    (void)state;
    for (uint64_t packet = 1; packet <= 20000; packet++)
        take(gate, packet << 20, 0, packet % 2 == 0 ? SPLIT_SHARES_MAX : 1, PACKET_LUCKY);
    for (uint64_t packet = 1; packet <= 20000; packet++) {
        enum outcome outcome = check(gate, packet << 20, 1, NOW_MS);
        known += outcome == OUTCOME_PACKET_EMPTY;
        assert_true(outcome == OUTCOME_OK || packet % 2 == 1);
    }
    assert_in_range(known, 100, 4096);
    packet_gate_free(gate);
}

/* --- grabs a minute ------------------------------------------------------------------------------
 */

static void a_user_has_so_many_grabs_a_minute(void **state)
{
    struct grab_limit *limit = grab_limit_new(3);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(grab_limit_take(limit, TEXT("B"), 1000 + i), 0);
    assert_int_equal(grab_limit_take(limit, TEXT("B"), 1003), 60);
    assert_int_equal(grab_limit_take(limit, TEXT("C"), 1003), 0);
    assert_int_equal(grab_limit_take(limit, TEXT("B"), 60999), 1);
    assert_int_equal(grab_limit_take(limit, TEXT("B"), 61000), 0);
    grab_limit_free(limit);
}

/* The table is full many times over: nobody new is refused, and who was at his limit mostly still
 * is: buckets that were used least went first. */
static void a_full_table_forgets_those_who_grab_least(void **state)
{
    struct grab_limit *limit = grab_limit_new(3);
    struct user user;
    int still_limited = 0;

    (void)state;
    for (int number = 0; number < 1000; number++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(grab_limit_take(limit, user_of(&user, 1, number), 1000), 0);
    }
    for (int number = 0; number < 1000000; number++)
        assert_int_equal(grab_limit_take(limit, user_of(&user, 2, number), 2000), 0);
    for (int number = 0; number < 1000; number++)
        still_limited += grab_limit_take(limit, user_of(&user, 1, number), 3000) != 0;
    assert_int_equal(still_limited, 1000);
    grab_limit_free(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_is_empty_when_all_its_shares_were_seen_taken),
        cmocka_unit_test(who_comes_too_late_is_turned_away_whoever_he_is),
        cmocka_unit_test(what_it_has_not_seen_from_the_first_share_it_does_not_judge),
        cmocka_unit_test(many_packets_are_known_within_the_bound),
        cmocka_unit_test(a_user_has_so_many_grabs_a_minute),
        cmocka_unit_test(a_full_table_forgets_those_who_grab_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
