/* engine/city_image and engine/visit_log (CITY-7): an image that is written while signals come,
 * read back with the log of visits since, says what the rows say; what is damaged, of another
 * directory or of other rows is refused, whatever byte it is; the log is bounded. Seeds are
 * numbered. */
#include "engine_world.h"

#include "base/crc32c.h"
#include "engine/city_build.h"
#include "engine/city_image.h"
#include "engine/visit_log.h"

enum {
    MOBILES = 20000,
    SMALL = 300,
    LARGE = 1200000, /* its filter takes several steps */
    PIECE_BYTES = 1 << 20,
};
#define START_MS INT64_C(1800000000000)

/* Two cities, all that is seen in them, and the index over it. */
struct sights {
    struct world world;
    struct hash_key secret;
    struct city_index index;
    uint64_t random, capacity;
};

static uint64_t next_random(struct sights *sights)
{
    uint64_t x = sights->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct command put_of(struct sights *sights, const char *code, uint16_t window_days)
{
    return (struct command){.type = COMMAND_CITY_PUT,
                            .of.city_put = {.code = text_of(code),
                                            .name = text_of(code),
                                            .capacity = sights->capacity,
                                            .misjudgement = 1000000,
                                            .basis = CITY_SEEN,
                                            .window_days = window_days,
                                            .rollout_percent = 100,
                                            .is_enabled = true}};
}

static void put_city(struct sights *sights, const char *code)
{
    struct command command = put_of(sights, code, 15);

    assert_int_equal(apply(&sights->world, &command).outcome, OUTCOME_OK);
    struct txn *txn = store_begin(sights->world.store);
    city_index_changed(&sights->index, txn, command.of.city_put.code, true);
    store_abort(txn);
}

static void open_sights(struct sights *sights, uint64_t seed, uint64_t capacity)
{
    *sights = (struct sights){
        .world = {.store = open_store_in_memory((size_t)256 << 20), .now_ms = START_MS},
        .secret = {seed, ~seed},
        .random = seed,
        .capacity = capacity};
    city_index_init(&sights->index, &sights->secret);
    put_city(sights, "first");
    put_city(sights, "second");
}

static void close_sights(struct sights *sights)
{
    city_index_release(&sights->index);
    store_close(sights->world.store, false);
}

static uint64_t mobile(uint64_t i)
{
    return UINT64_C(8613800000000) + i;
}

/* A command of made-up signals, some hours behind the one before. */
static void see_some(struct sights *sights)
{
    struct signal signals[SIGNALS_MAX];
    struct command command = {
        .type = COMMAND_SIGNALS,
        .of.signals = {.signals = signals, .count = SIGNALS_MAX, .index = &sights->index}};

    for (int i = 0; i < SIGNALS_MAX; i++)
        signals[i] = (struct signal){.mobile = mobile(next_random(sights) % MOBILES),
                                     .city = (uint32_t)(next_random(sights) % sights->index.count),
                                     .is_labelled = true};
    sights->world.now_ms += DAY_MS / 30;
    assert_int_equal(apply(&sights->world, &command).outcome, OUTCOME_OK);
}

static void see(struct sights *sights, int commands)
{
    for (; commands > 0; commands--)
        see_some(sights);
}

static struct result image_step(struct sights *sights, struct city_image_command step)
{
    struct command command = {.type = COMMAND_CITY_IMAGE, .of.city_image = step};
    return apply(&sights->world, &command);
}

/* With `commands` of signals between any two of its steps. */
static void save(struct sights *sights, struct buffer *image, int commands)
{
    struct city_image_writing writing;
    enum city_image_progress progress;

    buffer_init(image);
    assert_int_equal(
        image_step(sights, (struct city_image_command){.step = CITY_IMAGE_BEGIN}).outcome,
        OUTCOME_OK);
    city_image_begin(&writing, &sights->index, sights->world.number_last, image);
    do {
        see(sights, commands);
        progress = city_image_next(&writing, PIECE_BYTES, image);
    } while (progress == CITY_IMAGE_MORE);
    assert_int_equal(progress, CITY_IMAGE_END);
    see(sights, commands);
    assert_int_equal(writing.bytes, image->size);
    assert_int_equal(writing.crc, crc32c(0, image->data, image->size));
    struct city_image_command step = {CITY_IMAGE_DONE, writing.number, writing.bytes, writing.crc};
    assert_int_equal(image_step(sights, step).outcome, OUTCOME_OK);
}

static struct city_image_row row_of(struct sights *sights)
{
    struct txn *txn = store_begin(sights->world.store);
    struct city_image_row row = {.image = 0};

    city_image_find(txn, &row);
    store_abort(txn);
    return row;
}

/* An index as it is at a start, with the image in a build. */
static const char *load(struct sights *sights, struct city_index *index, const struct buffer *image,
                        const struct city_image_row *row)
{
    struct txn *txn = store_begin(sights->world.store);

    city_index_init(index, &sights->secret);
    city_index_load(index, txn);
    store_abort(txn);
    return city_image_load(city_build_new(index, sights->world.now_ms, CITY_NONE), row, image->data,
                           image->size);
}

static void read_log(struct sights *sights, struct city_build *build, uint64_t from)
{
    struct txn *txn = store_begin(sights->world.store);
    struct txn_walk *walk = txn_walk(txn, TABLE_VISIT_LOG, WALK_UP, NULL, 0);

    while (txn_walk_next(walk)) {
        if (bytes_get_u64_be(walk->key) > from)
            city_build_log(build, walk->value, walk->value_size);
    }
    txn_walk_end(walk);
    store_abort(txn);
}

/* Every answer of one is that of the other, for all that may have been seen. */
static void assert_same(struct sights *sights, const struct city_index *read)
{
    int64_t day = sights->world.now_ms / DAY_MS;
    uint64_t known = 0;

    assert_int_equal(read->count, sights->index.count);
    for (uint32_t c = 0; c < read->count; c++) {
        assert_true(read->cities[c]->is_whole);
        for (uint64_t i = 0; i < MOBILES; i++) {
            enum visit_known is = city_known(read->cities[c], mobile(i), day);
            assert_int_equal(is, city_known(sights->index.cities[c], mobile(i), day));
            known += is != VISIT_IS_NEW;
        }
    }
    assert_true(known > 0);
}

static void an_image_and_the_log_say_what_the_rows_say(void **state)
{
    struct city_index read;
    struct sights sights;
    struct buffer image;

    (void)state;
    for (int commands = 0; commands < 4; commands++) {
        open_sights(&sights, 100 + (uint64_t)commands, commands == 0 ? SMALL : LARGE);
        see(&sights, 60);
        save(&sights, &image, commands);
        put_city(&sights, "third"); /* behind the image: all of it is in the log */
        see(&sights, 40);
        struct city_image_row row = row_of(&sights);
        assert_null(load(&sights, &read, &image, &row));
        read_log(&sights, read.build, row.log_from);
        city_build_adopt(&read);
        assert_same(&sights, &read);
        city_index_release(&read);
        buffer_release(&image);
        close_sights(&sights);
    }
}

static void a_second_image_makes_the_log_before_it_useless(void **state)
{
    struct city_index read;
    struct sights sights;
    struct buffer first, second;
    struct result result;
    uint64_t next = 0;
    int slices = 0;

    (void)state;
    open_sights(&sights, 5, SMALL);
    save(&sights, &first, 0);
    see(&sights, 400);
    assert_true(row_of(&sights).log_entries > 10000);
    save(&sights, &second, 2);
    struct city_image_row row = row_of(&sights);
    assert_true(row.log_entries <= 8 * SIGNALS_MAX);
    assert_non_null(load(&sights, &read, &first, &row));
    city_index_release(&read);
    do {
        result = image_step(&sights, (struct city_image_command){CITY_IMAGE_FORGET, next, 0, 0});
        next = result.of.city_image.next;
        slices++;
    } while (next != 0);
    assert_int_equal(slices, 2);
    assert_null(load(&sights, &read, &second, &row));
    read_log(&sights, read.build, 0); /* nothing older is left */
    city_build_adopt(&read);
    assert_same(&sights, &read);
    city_index_release(&read);
    buffer_release(&first);
    buffer_release(&second);
    close_sights(&sights);
}

/* Whatever byte it is; and even with a checksum that was put right, what cannot be is not used. */
static void a_damaged_image_is_refused(void **state)
{
    struct city_index read;
    struct sights sights;
    struct buffer image;

    (void)state;
    open_sights(&sights, 6, SMALL);
    see(&sights, 1);
    save(&sights, &image, 0);
    const struct city_image_row row = row_of(&sights);
    for (size_t i = 0; i < image.size; i += 1 + i / 256) {
        struct city_image_row right = row;
        image.data[i] = (char)(image.data[i] ^ (1 << i % 8));
        assert_non_null(load(&sights, &read, &image, &row));
        city_index_release(&read);
        right.crc = crc32c(0, image.data, image.size);
        load(&sights, &read, &image, &right);
        city_index_release(&read);
        image.data[i] = (char)(image.data[i] ^ (1 << i % 8));
    }
    for (size_t size = 0; size < image.size; size += 1 + size / 64) {
        struct buffer cut = {malloc(size + 1), size, size + 1};
        struct city_image_row right = row;
        memcpy(cut.data, image.data, size);
        assert_non_null(load(&sights, &read, &cut, &row));
        city_index_release(&read);
        right.crc = crc32c(0, cut.data, size);
        right.bytes = size;
        assert_non_null(load(&sights, &read, &cut, &right));
        city_index_release(&read);
        free(cut.data);
    }
    assert_null(load(&sights, &read, &image, &row));
    city_index_release(&read);
    buffer_release(&image);
    close_sights(&sights);
}

static void one_of_another_directory_is_refused(void **state)
{
    struct city_index read;
    struct sights sights, other;
    struct buffer image;

    (void)state;
    open_sights(&sights, 7, SMALL);
    open_sights(&other, 8, SMALL);
    save(&sights, &image, 1);
    struct city_image_row row = row_of(&sights);
    assert_string_equal(load(&other, &read, &image, &row), "it is of another directory");
    city_index_release(&read);
    row.image++;
    assert_string_equal(load(&sights, &read, &image, &row), "it is another one");
    city_index_release(&read);
    buffer_release(&image);
    close_sights(&sights);
    close_sights(&other);
}

static void set_window(struct sights *sights, const char *code, uint16_t window_days)
{
    struct command command = put_of(sights, code, window_days);

    assert_int_equal(apply(&sights->world, &command).outcome, OUTCOME_OK);
}

/* What had expired for the shorter one was left out of it. */
static void one_of_a_shorter_window_is_refused(void **state)
{
    struct city_index read;
    struct sights sights;
    struct buffer image;

    (void)state;
    open_sights(&sights, 21, SMALL);
    see(&sights, 10);
    save(&sights, &image, 0);
    struct city_image_row row = row_of(&sights);
    for (uint16_t window_days = 14; window_days <= 16; window_days++) {
        set_window(&sights, "first", window_days);
        assert_true((load(&sights, &read, &image, &row) == NULL) == (window_days <= 15));
        city_index_release(&read);
    }
    buffer_release(&image);
    close_sights(&sights);
}

/* A city that is older than the image and not in it is no empty one. */
static void one_that_lacks_a_city_is_refused(void **state)
{
    struct city_image_writing writing;
    struct city_image_row row = {.image = UINT64_MAX};
    struct city_index read;
    struct sights sights;
    struct buffer image;

    (void)state;
    open_sights(&sights, 22, SMALL);
    see(&sights, 10);
    buffer_init(&image);
    city_image_begin(&writing, &sights.index, row.image, &image);
    assert_int_equal(city_image_next(&writing, PIECE_BYTES, &image), CITY_IMAGE_END);
    row.bytes = writing.bytes;
    row.crc = writing.crc;
    assert_null(load(&sights, &read, &image, &row));
    city_index_release(&read);
    put_city(&sights, "third");
    assert_non_null(load(&sights, &read, &image, &row));
    city_index_release(&read);
    buffer_release(&image);
    close_sights(&sights);
}

/* CITY-2: one that has outgrown its size is one part again. */
static void a_build_makes_room_for_what_there_is(void **state)
{
    struct sights sights;

    (void)state;
    open_sights(&sights, 23, 100);
    see(&sights, 20);
    const struct city *city = sights.index.cities[0];
    assert_true(city->memory.filter.part_count > 1);
    struct city_build *build = city_build_new(&sights.index, sights.world.now_ms, 0);
    assert_true(city_build_made(build, 0)->memory.filter.parts[0].capacity >=
                city->memory.table.count);
    city_build_drop(&sights.index);
    close_sights(&sights);
}

static void memory_that_is_replaced_makes_the_image_void(void **state)
{
    struct city_image_writing writing;
    struct sights sights;
    struct buffer image;

    (void)state;
    open_sights(&sights, 9, SMALL);
    see(&sights, 10);
    buffer_init(&image);
    image_step(&sights, (struct city_image_command){.step = CITY_IMAGE_BEGIN});
    city_image_begin(&writing, &sights.index, sights.world.number_last, &image);
    city_build_new(&sights.index, sights.world.now_ms, 0);
    city_build_adopt(&sights.index);
    assert_int_equal(city_image_next(&writing, PIECE_BYTES, &image), CITY_IMAGE_VOID);
    /* Nor is one told of that was begun before another. */
    assert_int_equal(
        image_step(&sights, (struct city_image_command){CITY_IMAGE_DONE, writing.number + 1, 1, 1})
            .outcome,
        OUTCOME_CONFLICT);
    assert_int_equal(row_of(&sights).image, 0);
    buffer_release(&image);
    close_sights(&sights);
}

/* CITY-2: who goes beyond the bound is asked by its rows, and counts no more. */
static void memory_beyond_the_bound_is_let_go(void **state)
{
    struct sights sights;

    (void)state;
    open_sights(&sights, 10, SMALL);
    see(&sights, 100);
    uint64_t bytes = sights.index.bytes;
    assert_int_equal(bytes, city_index_planned(&sights.index, (struct text){"", 0}));
    sights.index.bytes_max = bytes;
    see(&sights, 60);
    assert_true(sights.index.bytes <= bytes);
    assert_false(sights.index.cities[0]->is_whole && sights.index.cities[1]->is_whole);
    close_sights(&sights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_and_the_log_say_what_the_rows_say),
        cmocka_unit_test(a_second_image_makes_the_log_before_it_useless),
        cmocka_unit_test(a_damaged_image_is_refused),
        cmocka_unit_test(one_of_another_directory_is_refused),
        cmocka_unit_test(one_of_a_shorter_window_is_refused),
        cmocka_unit_test(one_that_lacks_a_city_is_refused),
        cmocka_unit_test(a_build_makes_room_for_what_there_is),
        cmocka_unit_test(memory_that_is_replaced_makes_the_image_void),
        cmocka_unit_test(memory_beyond_the_bound_is_let_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
