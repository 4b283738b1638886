/* pipeline/due_floor: the first thing due is found wherever it was put, and what was deleted is not
 * gone through again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/buffer.h"
#include "engine/handler.h"
#include "pipeline/due_floor.h"
#include "store/store.h"

enum { STEPS = 20000, KEPT_MAX = 512 };

struct world {
    struct store *store;
    struct due_floor floor;
    struct due kept[KEPT_MAX];
    size_t count;
    uint64_t number, seed;
};

static unsigned draw(struct world *world)
{
    world->seed = world->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(world->seed >> 40);
}

static void put(struct world *world, int64_t due_ms)
{
    struct engine_effect effect = {.due_first_ms = INT64_MAX};
    struct engine engine = {.txn = store_begin(world->store), .effect = &effect};
    struct due *due = &world->kept[world->count++];

    *due = (struct due){due_ms, DUE_MESSAGE, ++world->number};
    due_put(&engine, due->due_ms, due->kind, due->number);
    store_commit(engine.txn);
    assert_int_equal(effect.due_count, 1);
    due_floor_put(&world->floor, effect.due_ms[0]);
}

static void take(struct world *world, size_t place)
{
    struct engine_effect effect = {0};
    struct engine engine = {.txn = store_begin(world->store), .effect = &effect};
    struct due *due = &world->kept[place];

    due_delete(&engine, due->due_ms, due->kind, due->number);
    store_commit(engine.txn);
    *due = world->kept[--world->count];
}

/* By the rows kept here. */
static size_t first_of(const struct world *world)
{
    size_t first = 0;

    for (size_t i = 1; i < world->count; i++) {
        if (world->kept[i].due_ms < world->kept[first].due_ms ||
            (world->kept[i].due_ms == world->kept[first].due_ms &&
             world->kept[i].number < world->kept[first].number))
            first = i;
    }
    return first;
}

static void check_first(struct world *world)
{
    struct txn *txn = store_begin(world->store);
    size_t first = first_of(world);
    struct due due;
    bool is_found = due_floor_first(&world->floor, txn, &due);

    store_abort(txn);
    assert_int_equal(is_found, world->count > 0);
    if (is_found) {
        assert_int_equal(due.due_ms, world->kept[first].due_ms);
        assert_int_equal(due.number, world->kept[first].number);
    }
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct buffer why;

    buffer_init(&why);
    due_floor_init(&world->floor);
    *state = world;
    return store_open(&world->store,
                      &(struct store_options){.overlay_bytes_max = UINT64_C(256) << 20}, &why);
}

static int tear_down(void **state)
{
    struct world *world = *state;

    store_close(world->store, false);
    free(world);
    return 0;
}

/* Now, soon, in minutes, tomorrow, in three days: as charges, codes and messages are. */
static int64_t some_time(struct world *world, int64_t now_ms)
{
    static const int64_t ahead_ms[] = {0, 1, 100, 600000, 86400000, 259200000, 400000, 7000, 90000};

    return now_ms + ahead_ms[draw(world) % 9] + draw(world) % 3;
}

static void the_first_is_found_whatever_is_put_and_deleted(void **state)
{
    struct world *world = *state;
    int64_t now_ms = 1800000000000;

    for (int i = 0; i < STEPS; i++) {
        bool is_put = world->count == 0 || (draw(world) % 2 && world->count < KEPT_MAX);
        now_ms += draw(world) % 50 == 0 ? 6000 : 1; /* forty minutes in all */
        if (is_put)
            put(world, some_time(world, now_ms));
        else
            take(world, draw(world) % 3 ? first_of(world) : draw(world) % world->count);
        if (draw(world) % 2)
            check_first(world);
        assert_in_range(world->floor.count, 0, DUE_RANGES_MAX);
    }
    while (world->count > 0) {
        check_first(world);
        take(world, first_of(world));
    }
    check_first(world);
}

/* A look-up beside what was deleted a day ahead stays within its range. */
static void an_early_row_that_goes_is_forgotten_with_its_range(void **state)
{
    struct world *world = *state;
    int64_t now_ms = 1800000000000, day_ms = 86400000;

    put(world, now_ms + 3 * day_ms);
    check_first(world);
    put(world, now_ms);
    assert_int_equal(world->floor.count, 2);
    assert_int_equal(world->floor.ranges[0].last_ms, now_ms);
    take(world, first_of(world));
    check_first(world);
    assert_int_equal(world->floor.count, 1);
    assert_int_equal(world->floor.ranges[0].first.due_ms, now_ms + 3 * day_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_is_found_whatever_is_put_and_deleted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_early_row_that_goes_is_forgotten_with_its_range, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
