/* store/history.c and history_day.c (SMS-19): what is appended is found, by number, recipient and
 * company, in pages and in whole; what was dropped is gone; a file that is damaged is its day's
 * affair. */
#include "store_fixture.h"

#include <pthread.h>
#include <sys/mount.h>

#include "base/id.h"
#include "store/history.h"
#include "store/history_day.h"

#define DAY_MS INT64_C(86400000)
#define FIRST  ((uint32_t)20500) /* 2026-02-16 */

enum { SHOWN_MAX = 20000, VALUE_MAX = 5000 };

struct world {
    struct fixture fixture;
    struct history *history;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int ended, error;
    uint64_t shown[SHOWN_MAX];
    size_t shown_count, wanted;
};

static void on_end(void *context, int error)
{
    struct world *world = context;
    pthread_mutex_lock(&world->mutex);
    world->ended++;
    world->error = error;
    pthread_cond_signal(&world->changed);
    pthread_mutex_unlock(&world->mutex);
}

/* A record's value says its number, as often as its size allows. */
static void fill(unsigned char *value, size_t size, uint64_t number)
{
    for (size_t i = 0; i < size; i++)
        value[i] = (unsigned char)(number >> 8 * (i % 8));
}

static int on_record(void *context, uint64_t number, const void *value, size_t size)
{
    struct world *world = context;
    unsigned char wanted[VALUE_MAX];
    assert_true(world->shown_count < SHOWN_MAX && size <= VALUE_MAX);
    fill(wanted, size, number);
    assert_memory_equal(value, wanted, size);
    world->shown[world->shown_count++] = number;
    return world->shown_count == world->wanted;
}

static int ask(struct world *world, struct history_request *request)
{
    request->on_record = on_record;
    request->on_end = on_end;
    request->context = request->end_context = world;
    world->shown_count = 0;
    pthread_mutex_lock(&world->mutex);
    int before = world->ended;
    assert_int_equal(history_ask(world->history, request), 0);
    while (world->ended == before)
        pthread_cond_wait(&world->changed, &world->mutex);
    pthread_mutex_unlock(&world->mutex);
    return world->error;
}

static void start(struct world *world)
{
    const struct history_options options = {world->fixture.data, (size_t)1 << 30};
    if (history_open(&world->history, &options, &world->fixture.why) != 0)
        fail_msg("history_open: %s", fixture_why(&world->fixture));
}

static void stop(struct world *world)
{
    history_stop(world->history);
    history_close(world->history);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    fixture_init(&world->fixture);
    log_open(NULL, LOG_ERROR + 1);
    pthread_mutex_init(&world->mutex, NULL);
    pthread_cond_init(&world->changed, NULL);
    start(world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    stop(world);
    pthread_mutex_destroy(&world->mutex);
    pthread_cond_destroy(&world->changed);
    fixture_release(&world->fixture);
    free(world);
    return 0;
}

/* The i-th message of a day. */
static uint64_t number_of(uint32_t day, uint64_t i)
{
    return id_at(day * DAY_MS) + (i << ID_COUNTER_BITS);
}

/* Each third message of a day is to 7, each second one of company 5. */
static int append(struct world *world, uint32_t first, uint32_t days, size_t count, size_t size)
{
    static unsigned char values[HISTORY_APPEND_MAX][VALUE_MAX];
    static struct history_record records[HISTORY_APPEND_MAX];
    struct history_request request = {.kind = HISTORY_APPEND, .records = records};
    assert_true(days * count <= HISTORY_APPEND_MAX && size <= VALUE_MAX);
    for (uint32_t day = 0; day < days; day++)
        for (size_t i = 0; i < count; i++) {
            size_t at = request.record_count++;
            uint64_t number = number_of(first + day, i);
            fill(values[at], size, number);
            records[at] = (struct history_record){
                number, i % 3 == 0 ? 7 : 100 + i, 4 + i % 2, values[at], size, false};
        }
    int error = ask(world, &request);
    for (size_t i = 0; i < request.record_count && error == 0; i++)
        assert_true(records[i].is_kept);
    return error;
}

static struct history_request read_all(void)
{
    return (struct history_request){.kind = HISTORY_READ,
                                    .last = UINT64_MAX,
                                    .examined_max = UINT32_MAX,
                                    .days_max = UINT32_MAX};
}

static void a_record_is_found_by_its_number(void **state)
{
    struct world *world = *state;
    uint64_t number = number_of(FIRST + 1, 3);
    struct history_request request = read_all();
    assert_int_equal(append(world, FIRST, 3, 10, 200), 0);
    request.first = request.last = number;
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 1);
    assert_int_equal(world->shown[0], number);
    request = read_all();
    request.first = request.last = number + 1; /* between two */
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 0);
    request.first = request.last = number_of(FIRST + 9, 0); /* of a day that is not there */
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 0);
}

static void lists_go_down_over_days_by_recipient_and_company(void **state)
{
    struct world *world = *state;
    struct history_request request = read_all();
    assert_int_equal(append(world, FIRST, 3, 9, 200), 0);
    assert_int_equal(append(world, FIRST + 20, 1, 9, 200), 0);
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 36);
    assert_int_equal(request.reached, 0);
    for (size_t i = 1; i < world->shown_count; i++)
        assert_true(world->shown[i] < world->shown[i - 1]);
    request = read_all();
    request.index = HISTORY_BY_TO;
    request.by = 7;
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 12);
    assert_int_equal(world->shown[0], number_of(FIRST + 20, 6));
    assert_int_equal(world->shown[11], number_of(FIRST, 0));
    request = read_all();
    request.index = HISTORY_BY_COMPANY;
    request.by = 5;
    request.first = number_of(FIRST + 1, 2);
    request.last = number_of(FIRST + 2, 4);
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 2 + 3);
    assert_int_equal(world->shown[0], number_of(FIRST + 2, 3));
    assert_int_equal(world->shown[4], number_of(FIRST + 1, 3));
}

static void pages_join_without_gap_or_repeat(void **state)
{
    struct world *world = *state;
    uint64_t last = UINT64_MAX, before = UINT64_MAX;
    size_t seen = 0;
    assert_int_equal(append(world, FIRST, 4, 600, 40), 0);
    for (int page = 0; seen < 2400; page++) {
        struct history_request request = read_all();
        request.last = last;
        if (page % 2 == 0)
            request.examined_max = 333;
        else
            world->wanted = 333;
        assert_int_equal(ask(world, &request), 0);
        world->wanted = 0;
        assert_int_equal(world->shown_count, seen + 333 <= 2400 ? 333 : 2400 - seen);
        for (size_t i = 0; i < world->shown_count; i++) {
            assert_true(world->shown[i] < before);
            before = world->shown[i];
        }
        seen += world->shown_count;
        last = request.reached - 1;
        assert_true(page < 10);
    }
}

/* However few it finds: of a company that has nothing there, pages of so many days. */
static void a_read_looks_through_so_many_days_and_says_how_far_it_came(void **state)
{
    struct world *world = *state;
    struct history_request request = read_all();
    assert_int_equal(append(world, FIRST, 7, 1, 100), 0);
    request.index = HISTORY_BY_COMPANY;
    request.by = 99;
    request.days_max = 3;
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(request.reached, number_of(FIRST + 4, 0));
    request.last = request.reached - 1;
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(request.reached, number_of(FIRST + 1, 0));
    request.last = request.reached - 1;
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(request.reached, request.first);
    /* The last days of what is asked for are its end, though nothing is in them. */
    request = read_all();
    request.first = number_of(FIRST + 4, 0);
    request.by = 99;
    request.index = HISTORY_BY_COMPANY;
    request.days_max = 3;
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(request.reached, request.first);
    assert_int_equal(world->shown_count, 0);
}

static void a_scan_shows_every_record_of_its_days_upwards(void **state)
{
    struct world *world = *state;
    struct history_request request = {.kind = HISTORY_SCAN,
                                      .first = id_at((FIRST + 1) * DAY_MS),
                                      .last = id_at((FIRST + 3) * DAY_MS) - 1};
    assert_int_equal(append(world, FIRST, 4, 700, 40), 0);
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 1400);
    assert_int_equal(world->shown[0], number_of(FIRST + 1, 0));
    assert_int_equal(world->shown[1399], number_of(FIRST + 2, 699));
}

static void a_record_appended_twice_is_there_once(void **state)
{
    struct world *world = *state;
    struct history_request request = read_all();
    assert_int_equal(append(world, FIRST, 1, 100, 4500), 0); /* on pages of their own */
    assert_int_equal(append(world, FIRST, 1, 50, 30), 0);
    assert_int_equal(append(world, FIRST, 1, 100, 300), 0);
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 100);
}

static void history_is_there_after_a_restart(void **state)
{
    struct world *world = *state;
    struct history_request request = read_all();
    uint32_t days[HISTORY_DAYS_MAX];
    assert_int_equal(append(world, FIRST, 6, 10, 100), 0); /* more days than are open at once */
    stop(world);
    start(world);
    assert_int_equal(history_days(world->history, days), 6);
    assert_int_equal(days[5], FIRST + 5);
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 60);
}

static void a_dropped_day_is_gone(void **state)
{
    struct world *world = *state;
    struct history_request request = {.kind = HISTORY_DROP, .day = FIRST + 1};
    assert_int_equal(append(world, FIRST, 3, 10, 100), 0);
    assert_true(history_has(world->history, FIRST + 1, FIRST + 1));
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(ask(world, &request), 0); /* and again, after a kill, say */
    assert_false(history_has(world->history, FIRST + 1, FIRST + 1));
    assert_true(history_has(world->history, FIRST + 1, FIRST + 2));
    request = read_all();
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 20);
    assert_int_equal(append(world, FIRST + 1, 1, 5, 100), 0);
    request = read_all();
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, 25);
}

static void change_file(struct world *world, uint32_t day, bool cuts)
{
    static const unsigned char wanted[] = {0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a};
    char path[FILE_PATH_MAX], block[4096];
    history_day_path(path, world->fixture.data, day);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    if (cuts)
        assert_int_equal(ftruncate(fd, 3 * 4096), 0);
    for (off_t at = 0; !cuts && pread(fd, block, sizeof block, at) == sizeof block; at += 4096) {
        const char *found = memmem(block, sizeof block, wanted, sizeof wanted);
        if (found != NULL)
            assert_int_equal(pwrite(fd, "\x5b", 1, at + (found - block) + 3), 1);
    }
    close(fd);
}

static int verify_record(void *context, uint64_t number, const void *value, size_t size,
                         uint64_t *to, uint64_t *company)
{
    uint64_t i = (number - id_at(id_day(number) * DAY_MS)) >> ID_COUNTER_BITS;
    (void)value, (void)size;
    *to = i % 3 == 0 ? 7 : 100 + i;
    *company = 4 + i % 2;
    ++*(int *)context;
    return 0;
}

/* One record of 64 bytes of 0x5a beside others; the checksum of it is wrong afterwards. */
static void append_marked(struct world *world, uint32_t day)
{
    unsigned char value[64];
    struct history_record record = {number_of(day, 5), 105, 5, value, sizeof value, false};
    struct history_request request = {
        .kind = HISTORY_APPEND, .records = &record, .record_count = 1};
    memset(value, 0x5a, sizeof value);
    assert_int_equal(ask(world, &request), 0);
}

static void a_damaged_day_leaves_the_others(void **state)
{
    struct world *world = *state;
    struct history_request request = read_all();
    for (int cuts = 0; cuts < 2; cuts++) {
        uint32_t day = FIRST + 10 * (uint32_t)cuts;
        int verified = 0;
        assert_int_equal(append(world, day, 2, 10, 100), 0);
        append_marked(world, day);
        stop(world);
        change_file(world, day, cuts);
        start(world);
        request = read_all();
        request.first = request.last = number_of(day, 5);
        assert_int_equal(ask(world, &request), ERR_DAMAGED);
        request.first = request.last = number_of(day + 1, 5);
        assert_int_equal(ask(world, &request), 0);
        assert_int_equal(world->shown_count, 1);
        world->fixture.why.size = 0;
        assert_int_equal(history_verify(world->fixture.data, NULL, &world->fixture.why,
                                        verify_record, &verified),
                         ERR_DAMAGED);
    }
    /* To one that cannot be opened nothing can be appended, and the others are. */
    assert_int_equal(append(world, FIRST + 10, 2, 10, 100), ERR_DAMAGED);
    request = read_all();
    request.first = request.last = number_of(FIRST + 11, 9);
    assert_int_equal(ask(world, &request), 0);
}

static void verify_finds_what_lists_lack(void **state)
{
    struct world *world = *state;
    struct buffer summary;
    int verified = 0;
    buffer_init(&summary);
    assert_int_equal(append(world, FIRST, 2, 10, 100), 0);
    stop(world);
    assert_int_equal(history_verify(world->fixture.data, &summary, &world->fixture.why,
                                    verify_record, &verified),
                     0);
    assert_int_equal(verified, 20);
    start(world);
    /* The i-th is to another number than verify_record says. */
    struct history_record record = {number_of(FIRST, 11), 7, 4, "", 0, false};
    struct history_request request = {
        .kind = HISTORY_APPEND, .records = &record, .record_count = 1};
    assert_int_equal(ask(world, &request), 0);
    stop(world);
    assert_int_equal(history_verify(world->fixture.data, &summary, &world->fixture.why,
                                    verify_record, &verified),
                     ERR_DAMAGED);
    start(world);
    buffer_release(&summary);
}

/* OPS-7. The disk is a small tmpfs, where mounting is allowed. */
static void without_room_nothing_is_changed_and_a_drop_makes_some(void **state)
{
    struct world *world = *state;
    struct history_request request = read_all();
    size_t kept = 0;
    int error = 0;
    uint32_t day = FIRST;
    stop(world);
    if (mount("none", world->fixture.data, "tmpfs", 0, "size=512k") != 0) {
        start(world);
        skip();
    }
    start(world);
    for (; error == 0 && day < FIRST + 20; day++, kept += error == 0 ? 20 : 0)
        error = append(world, day, 1, 20, 4000);
    assert_int_equal(error, ERR_NO_SPACE);
    assert_true(kept > 0);
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, kept);
    request = (struct history_request){.kind = HISTORY_DROP, .day = FIRST};
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(append(world, day - 1, 1, 20, 4000), 0);
    request = read_all();
    assert_int_equal(ask(world, &request), 0);
    assert_int_equal(world->shown_count, kept);
    stop(world);
    assert_int_equal(umount(world->fixture.data), 0);
    start(world);
}

static void what_was_being_made_is_made_anew(void **state)
{
    struct world *world = *state;
    char path[FILE_PATH_MAX];
    fixture_path(path, world->fixture.data, "2026-02-16.mdb.new");
    stop(world);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd);
    start(world);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(append(world, FIRST, 1, 10, 100), 0);
    fixture_path(path, world->fixture.data, "2026-02-16.mdb");
    assert_int_equal(access(path, F_OK), 0);
}

/* Waits until whoever asked lets go; one is enough. */
static int on_record_held(void *context, uint64_t number, const void *value, size_t size)
{
    struct world *world = context;
    (void)number, (void)value, (void)size;
    pthread_mutex_lock(&world->mutex);
    pthread_mutex_unlock(&world->mutex);
    return 1;
}

static void who_comes_when_the_line_is_full_is_told(void **state)
{
    struct world *world = *state;
    struct history_request requests[HISTORY_REQUESTS_MAX + 1];
    int asked = 0;
    assert_int_equal(append(world, FIRST, 1, 10, 100), 0);
    int before = world->ended;
    pthread_mutex_lock(&world->mutex); /* nobody comes past a record meanwhile */
    for (int i = 0; i <= HISTORY_REQUESTS_MAX; i++) {
        requests[i] = read_all();
        requests[i].on_record = on_record_held;
        requests[i].on_end = on_end;
        requests[i].context = requests[i].end_context = world;
        asked += history_ask(world->history, &requests[i]) == 0;
    }
    assert_int_equal(asked, HISTORY_REQUESTS_MAX);
    while (world->ended < before + asked)
        pthread_cond_wait(&world->changed, &world->mutex);
    pthread_mutex_unlock(&world->mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_record_is_found_by_its_number),
        TEST(lists_go_down_over_days_by_recipient_and_company),
        TEST(pages_join_without_gap_or_repeat),
        TEST(a_read_looks_through_so_many_days_and_says_how_far_it_came),
        TEST(a_scan_shows_every_record_of_its_days_upwards),
        TEST(a_record_appended_twice_is_there_once),
        TEST(history_is_there_after_a_restart),
        TEST(a_dropped_day_is_gone),
        TEST(a_damaged_day_leaves_the_others),
        TEST(verify_finds_what_lists_lack),
        TEST(what_was_being_made_is_made_anew),
        TEST(without_room_nothing_is_changed_and_a_drop_makes_some),
        TEST(who_comes_when_the_line_is_full_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
