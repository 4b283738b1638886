/* Writing and reading the image: a head, then for each city a head, its filter, its table. What is
 * hard: a city's filter is written before its table, and both change meanwhile, so the table may
 * know visits that the filter does not. They are in the log, and city_memory_note asks the filter,
 * too, before it believes that it has one. */
#include "engine/city_image.h"

#include <assert.h>
#include <string.h>

#include "base/crc32c.h"
#include "engine/city_build.h"

enum { VERSION = 1 };

struct image_head {
    char magic[8];
    uint32_t version;
    uint32_t city_count;
    uint64_t number;
    uint64_t secret_check; /* a hash under the directory's secret */
    int64_t rebuilt_ms;
};
static_assert(sizeof(struct image_head) == 40, "stored layout");

struct section_head {
    uint32_t city;
    uint32_t window_days; /* then */
    uint64_t number;      /* the city's */
    int64_t built_ms;
    uint64_t filter_bytes;
};
static_assert(sizeof(struct section_head) == 32, "stored layout");

static const char magic[8] = "smsdCITY";

static uint64_t secret_check(const struct city_index *index)
{
    return hash64(index->secret, magic, sizeof magic);
}

/* --- writing -------------------------------------------------------------------------------------
 */

/* What was appended from `from` on counts. */
static void seal(struct city_image_writing *writing, const struct buffer *to, size_t from)
{
    writing->crc = crc32c(writing->crc, to->data + from, to->size - from);
    writing->bytes += to->size - from;
}

void city_image_begin(struct city_image_writing *writing, const struct city_index *index,
                      uint64_t number, struct buffer *to)
{
    struct image_head head = {.version = VERSION,
                              .city_count = index->count,
                              .number = number,
                              .secret_check = secret_check(index),
                              .rebuilt_ms = index->rebuilt_ms};
    size_t from = to->size;

    memcpy(head.magic, magic, sizeof magic);
    *writing = (struct city_image_writing){
        .index = index, .replaced = index->replaced, .city_count = index->count, .number = number};
    buffer_append(to, &head, sizeof head);
    seal(writing, to, from);
}

static void begin_section(struct city_image_writing *writing, struct buffer *to)
{
    const struct city *city = writing->index->cities[writing->city];
    const struct city_filter *filter = &city->memory.filter;
    struct section_head head = {.city = writing->city,
                                .window_days = city->view.row.window_days,
                                .number = city->view.row.number,
                                .built_ms = city->built_ms,
                                .filter_bytes = city_filter_save_bytes(filter)};

    buffer_append(to, &head, sizeof head);
    city_filter_save_begin(&writing->filter, filter, head.number, writing->number, to);
    writing->is_in_city = true;
    writing->is_in_table = false;
    writing->place = 0;
}

/* One more piece of the city at hand, or the beginning of the next. */
static void write_piece(struct city_image_writing *writing, struct buffer *to)
{
    const struct city *city = writing->index->cities[writing->city];

    if (!writing->is_in_city) {
        begin_section(writing, to);
    } else if (!writing->is_in_table) {
        writing->is_in_table = !city_filter_save_next(&writing->filter, to);
    } else if (!visit_table_save_next(&city->memory.table, &writing->place, to)) {
        writing->is_in_city = false;
        writing->city++;
    }
}

enum city_image_progress city_image_next(struct city_image_writing *writing, size_t bytes,
                                         struct buffer *to)
{
    size_t from = to->size;

    if (writing->index->replaced != writing->replaced)
        return CITY_IMAGE_VOID;
    while (writing->city < writing->city_count && to->size - from < bytes)
        write_piece(writing, to);
    seal(writing, to, from);
    return writing->city < writing->city_count ? CITY_IMAGE_MORE : CITY_IMAGE_END;
}

/* --- reading -------------------------------------------------------------------------------------
 */

static const char *judge_head(const struct image_head *head, uint64_t secret,
                              const struct city_image_row *row)
{
    if (memcmp(head->magic, magic, sizeof magic) != 0)
        return "it is no image";
    if (head->version != VERSION)
        return "it is of another version";
    if (head->secret_check != secret)
        return "it is of another directory";
    if (head->number != row->image)
        return "it is another one";
    return NULL;
}

/* A city's filter and table; `*at` moves behind them. */
static const char *load_section(struct city_build *build, const char **at, const char *end)
{
    struct section_head head;
    struct city_filter_saved saved;
    struct city_filter filter;
    const char *wrong;

    if ((size_t)(end - *at) < sizeof head)
        return "it is too short";
    memcpy(&head, *at, sizeof head);
    *at += sizeof head;
    struct city_made *made = city_build_made(build, head.city);
    if (made == NULL || made->number != head.number || made->is_from_image)
        return "it has a city that is not there";
    if (made->window_days > head.window_days)
        return "visits are left out in it that count now";
    if (head.filter_bytes > (size_t)(end - *at))
        return "it is too short";
    wrong = city_filter_load(&filter, &made->memory.filter.key, *at, head.filter_bytes, &saved);
    if (wrong != NULL)
        return wrong;
    city_filter_release(&made->memory.filter);
    made->memory.filter = filter;
    made->built_ms = head.built_ms;
    made->is_from_image = true;
    *at += head.filter_bytes;
    return visit_table_load(&made->memory.table, at, end);
}

/* A city without a section came later: all of its visits are in the log. */
static const char *judge_others(struct city_build *build, uint64_t image)
{
    for (uint32_t i = 0; i < city_build_count(build); i++) {
        struct city_made *made = city_build_made(build, i);
        if (made == NULL || made->is_from_image)
            continue;
        if (made->number <= image)
            return "a city is missing in it";
        made->built_ms = 0;
    }
    return NULL;
}

const char *city_image_load(struct city_build *build, const struct city_image_row *row,
                            const void *image, size_t size)
{
    const char *at = image, *end = at + size, *wrong;
    struct image_head head;

    if (row->image == 0 || size != row->bytes || size < sizeof head)
        return "it is of another size";
    memcpy(&head, image, sizeof head);
    wrong = judge_head(&head, city_build_secret_check(build, magic, sizeof magic), row);
    if (wrong != NULL)
        return wrong;
    if (crc32c(0, image, size) != row->crc)
        return "it is damaged";
    at += sizeof head;
    for (uint32_t i = 0; i < head.city_count && wrong == NULL; i++)
        wrong = load_section(build, &at, end);
    if (wrong == NULL && at != end)
        wrong = "it is of another size";
    if (wrong == NULL)
        wrong = judge_others(build, row->image);
    city_build_set_time(build, head.rebuilt_ms);
    return wrong;
}
