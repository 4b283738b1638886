/* See images.h. An image is refused only if it is damaged, or if a window has become longer than it
 * was in it: then the rows are read. */
#include "images.h"

#include <string.h>

#include "base/bytes.h"
#include "engine/visit_log.h"
#include "wrong.h"

enum { DAMAGES = 8 };

void images_init(struct images *images)
{
    *images = (struct images){.stage = IMAGE_NONE};
    buffer_init(&images->made.bytes);
    for (int i = 0; i < IMAGES_KEPT; i++)
        buffer_init(&images->files[i].bytes);
}

void images_release(struct images *images)
{
    buffer_release(&images->made.bytes);
    for (int i = 0; i < IMAGES_KEPT; i++)
        buffer_release(&images->files[i].bytes);
}

void images_kill(struct images *images)
{
    images->stage = IMAGE_NONE;
}

const struct sim_image *images_find(const struct images *images, uint64_t number)
{
    for (int i = 0; i < IMAGES_KEPT; i++) {
        if (images->files[i].number == number && number != 0)
            return &images->files[i];
    }
    return NULL;
}

void images_begin(struct images *images, const struct city_index *index, uint64_t number,
                  uint64_t kept)
{
    for (int i = 0; i < IMAGES_KEPT; i++) {
        if (images->files[i].number != kept)
            images->files[i].number = 0;
    }
    images->made.number = number;
    images->made.bytes.size = 0;
    city_image_begin(&images->writing, index, number, &images->made.bytes);
    images->stage = IMAGE_WRITING;
}

void images_finish(struct images *images)
{
    struct sim_image *free = images->files[0].number == 0 ? &images->files[0] : &images->files[1];

    must(free->number == 0 && images->writing.bytes == images->made.bytes.size);
    free->number = images->made.number;
    free->bytes.size = 0;
    buffer_append(&free->bytes, images->made.bytes.data, images->made.bytes.size);
    images->stage = IMAGE_WRITTEN;
}

/* --- at a start ----------------------------------------------------------------------------------
 */

const char *images_load(struct cities *cities, struct txn *txn, int64_t now_ms,
                        const struct city_image_row *row, const void *bytes, size_t size)
{
    struct city_build *build = city_build_new(&cities->index, now_ms, CITY_NONE);
    const char *wrong = city_image_load(build, row, bytes, size);
    struct txn_walk *walk;

    if (wrong != NULL) {
        city_build_drop(&cities->index);
        return wrong;
    }
    cities->is_build_of_image = true;
    cities->rows.size = cities->fed = 0;
    cities->expired.size = cities->taken = 0;
    walk = txn_walk(txn, TABLE_VISIT_LOG, WALK_UP, NULL, 0);
    while (txn_walk_next(walk)) {
        if (bytes_get_u64_be(walk->key) > row->log_from)
            city_build_log(build, walk->value, walk->value_size);
    }
    txn_walk_end(walk);
    return NULL;
}

/* Cut, longer, another one's, or one bit of it changed. True: it is no longer as it was. */
static bool spoil(struct buffer *bytes, struct city_image_row *row, uint32_t damage)
{
    size_t place = damage / DAMAGES % bytes->size;

    switch (damage % DAMAGES) {
    case 0:
        bytes->data[place] = (char)(bytes->data[place] ^ 1 << damage / 64 % 8);
        return true;
    case 1:
        bytes->size = place;
        return true;
    case 2:
        buffer_append(bytes, "", 1);
        return true;
    case 3:
        row->image++;
        return true;
    default:
        return false;
    }
}

bool images_restart(const struct images *images, struct cities *cities, struct world *world,
                    uint32_t damage)
{
    struct city_image_row row;
    const struct sim_image *file;
    struct buffer bytes;
    const char *reason;
    bool is_spoiled;

    if (cities->index.count == 0 || !city_image_find(world->txn, &row) || row.image == 0)
        return false;
    file = images_find(images, row.image);
    if (file == NULL)
        wrong("the image that rows name is not there");
    buffer_init(&bytes);
    buffer_append(&bytes, file->bytes.data, file->bytes.size);
    is_spoiled = spoil(&bytes, &row, damage);
    reason = images_load(cities, world->txn, world->now_ms, &row, bytes.data, bytes.size);
    buffer_release(&bytes);
    if (is_spoiled && reason == NULL)
        wrong("a damaged image was read");
    if (!is_spoiled && reason != NULL && strcmp(reason, IMAGE_WINDOW_TOO_SHORT) != 0)
        wrong("a good image is not read: %s", reason);
    if (reason != NULL)
        cities_build_whole(cities, world);
    return reason == NULL;
}

/* --- comparing -----------------------------------------------------------------------------------
 */

/* Where a mark may have been taken away the row may be asked, which is always right. */
static void compare_city(const struct model *model, const struct city *read,
                         const struct city *made, uint32_t index, int64_t now_ms)
{
    int64_t today = now_ms / (INT64_C(24) * 60 * 60 * 1000);

    must(made->is_whole);
    if (!read->is_whole)
        return; /* its window has grown since */
    for (int mobile = 0; mobile < MODEL_MOBILES; mobile++) {
        const struct model_visit *visit = &model->cities.visit[index][mobile];
        enum visit_known known = city_known(read, model_mobiles[mobile], today);
        if (!visit->is_there || !model_visit_matters(visit, made->view.row.window_days, now_ms))
            continue;
        if (known != city_known(made, model_mobiles[mobile], today) &&
            (known != VISIT_UNKNOWN || model->messages == 0))
            wrong("an image and its log do not say what the rows say");
    }
}

void images_compare(struct model *model, struct cities *cities, struct world *world)
{
    struct cities made;

    cities_init(&made);
    cities_load(&made, world->txn);
    cities_build_whole(&made, world);
    must(made.index.count == cities->index.count);
    for (uint32_t i = 0; i < made.index.count; i++)
        compare_city(model, cities->index.cities[i], made.index.cities[i], i, world->now_ms);
    cities_release(&made);
}
