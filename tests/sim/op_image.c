/* Steps of an image of the cities' memory, one an op, and a start from what is there of it
 * (CITY-7). A kill may come between any two of them. */
#include "base/bytes.h"
#include "engine/visit_log.h"
#include "episode.h"
#include "wrong.h"

static bool are_whole(const struct city_index *index)
{
    for (uint32_t i = 0; i < index->count; i++) {
        if (!index->cities[i]->is_whole)
            return false;
    }
    return index->count > 0;
}

static struct city_image_row row_of(struct episode *episode)
{
    struct city_image_row row = {.image = 0};

    world_begin(&episode->world);
    city_image_find(episode->world.txn, &row);
    world_abort(&episode->world);
    return row;
}

static struct result run_step(struct episode *episode, struct city_image_command step,
                              uint64_t *number)
{
    struct command command = {.type = COMMAND_CITY_IMAGE, .of.city_image = step};
    struct result result = episode_run_alone(episode, &command, true);

    *number = command.number;
    return result;
}

static void begin(struct episode *episode)
{
    uint64_t kept = row_of(episode).image, number;

    if (!are_whole(&episode->cities.index))
        return;
    run_step(episode, (struct city_image_command){.step = CITY_IMAGE_BEGIN}, &number);
    must(row_of(episode).image == kept); /* still the good one */
    images_begin(&episode->images, &episode->cities.index, number, kept);
}

static void write_some(struct episode *episode, size_t bytes)
{
    struct images *images = &episode->images;

    switch (city_image_next(&images->writing, bytes, &images->made.bytes)) {
    case CITY_IMAGE_VOID:
        images->stage = IMAGE_NONE;
        break;
    case CITY_IMAGE_END:
        images_finish(images);
        if (episode->mirror != NULL)
            mirror_image(episode->mirror, &images->made, row_of(episode).image);
        break;
    case CITY_IMAGE_MORE:
        break;
    }
}

static void tell(struct episode *episode)
{
    struct images *images = &episode->images;
    const struct city_image_writing *writing = &images->writing;
    uint64_t number;

    run_step(
        episode,
        (struct city_image_command){CITY_IMAGE_DONE, writing->number, writing->bytes, writing->crc},
        &number);
    must(row_of(episode).image == writing->number);
    images->forgotten = 0;
    images->stage = IMAGE_GOOD;
}

static void check_log(struct episode *episode)
{
    struct city_image_row row = row_of(episode);
    struct txn_walk *walk;

    world_begin(&episode->world);
    walk = txn_walk(episode->world.txn, TABLE_VISIT_LOG, WALK_UP, NULL, 0);
    while (txn_walk_next(walk))
        must(bytes_get_u64_be(walk->key) > row.log_from);
    txn_walk_end(walk);
    world_abort(&episode->world);
}

static void forget(struct episode *episode)
{
    struct images *images = &episode->images;
    uint64_t number;
    struct result result = run_step(
        episode, (struct city_image_command){.step = CITY_IMAGE_FORGET, .image = images->forgotten},
        &number);

    images->forgotten = result.of.city_image.next;
    if (images->forgotten != 0)
        return;
    images->stage = IMAGE_NONE;
    check_log(episode);
}

void op_city_image(struct episode *episode, const struct op *op)
{
    switch (episode->images.stage) {
    case IMAGE_NONE:
        begin(episode);
        break;
    case IMAGE_WRITING:
        write_some(episode, op->number % 4096);
        break;
    case IMAGE_WRITTEN:
        tell(episode);
        break;
    case IMAGE_GOOD:
        forget(episode);
        break;
    }
}

/* Sometimes the build is left to be caught up and adopted by later steps. */
void op_city_load(struct episode *episode, const struct op *op)
{
    struct cities *cities = &episode->cities;

    images_kill(&episode->images);
    world_begin(&episode->world);
    cities_load(cities, episode->world.txn);
    if (op->pick % 8 != 0 &&
        images_restart(&episode->images, cities, &episode->world, op->number) &&
        op->pick / 8 % 2 == 0) {
        must(city_build_catch_up(&cities->index, 1));
        cities_adopt(cities);
        images_compare(episode->model, cities, &episode->world);
    }
    world_abort(&episode->world);
}
