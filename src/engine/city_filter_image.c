/* The image's layout. What is hard: its figures decide how much memory is asked for, so all of them
 * are held against one another and against the image's size before any is believed. */
#include "engine/city_filter_image.h"

#include <assert.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/pages.h"

enum { PIECE_BYTES = 1 << 20, VERSION = 1 };

struct part_image {
    uint64_t blocks, capacity, keys, bits_set;
    uint32_t hashes;
    uint32_t zero;
};

struct head_image {
    char magic[8];
    uint32_t version;
    uint32_t part_count;
    uint64_t city, covers;
    uint64_t key_check; /* a hash under the filter's key: is it still the same? */
    double rate;
    uint64_t zero;
    struct part_image parts[CITY_FILTER_PARTS_MAX];
    uint32_t zero2;
    uint32_t crc; /* of all before it */
};
static_assert(sizeof(struct head_image) == CITY_FILTER_HEAD_BYTES, "stored layout");

static const char magic[8] = "smsdCFLT";

static uint64_t key_check(const struct hash_key *key)
{
    return hash64(key, magic, sizeof magic);
}

void city_filter_save_begin(struct city_filter_writing *writing, const struct city_filter *filter,
                            uint64_t city, uint64_t covers, struct buffer *to)
{
    struct head_image head = {.version = VERSION,
                              .part_count = filter->part_count,
                              .city = city,
                              .covers = covers,
                              .key_check = key_check(&filter->key),
                              .rate = filter->rate};

    memcpy(head.magic, magic, sizeof magic);
    for (uint32_t i = 0; i < filter->part_count; i++) {
        const struct city_filter_part *part = &filter->parts[i];
        head.parts[i] = (struct part_image){.blocks = part->blocks,
                                            .capacity = part->capacity,
                                            .keys = part->keys,
                                            .bits_set = part->bits_set,
                                            .hashes = part->hashes};
    }
    head.crc = crc32c(0, &head, offsetof(struct head_image, crc));
    buffer_append(to, &head, sizeof head);
    *writing = (struct city_filter_writing){
        .filter = filter, .part_count = filter->part_count, .crc = head.crc};
}

static size_t piece_size(uint64_t part_bytes, uint64_t offset)
{
    return part_bytes - offset < PIECE_BYTES ? part_bytes - offset : PIECE_BYTES;
}

bool city_filter_save_next(struct city_filter_writing *writing, struct buffer *to)
{
    if (writing->part == writing->part_count)
        return false;
    const struct city_filter_part *part = &writing->filter->parts[writing->part];
    uint64_t bytes = part->blocks * CITY_FILTER_BLOCK_BYTES;
    size_t size = piece_size(bytes, writing->offset);

    buffer_append(to, (const char *)part->words + writing->offset, size);
    writing->crc = crc32c(writing->crc, to->data + to->size - size, size);
    buffer_append(to, &writing->crc, sizeof writing->crc);
    writing->offset += size;
    if (writing->offset == bytes) {
        writing->offset = 0;
        writing->part++;
    }
    return true;
}

static uint64_t part_image_bytes(uint64_t blocks)
{
    uint64_t bytes = blocks * CITY_FILTER_BLOCK_BYTES;

    return bytes + (bytes + PIECE_BYTES - 1) / PIECE_BYTES * sizeof(uint32_t);
}

uint64_t city_filter_save_bytes(const struct city_filter *filter)
{
    uint64_t sum = sizeof(struct head_image);

    for (uint32_t i = 0; i < filter->part_count; i++)
        sum += part_image_bytes(filter->parts[i].blocks);
    return sum;
}

/* The bytes behind the head, as its figures have it; 0: they cannot be. */
static uint64_t pieces_bytes(const struct head_image *head)
{
    uint64_t sum = 0;

    if (head->part_count < 1 || head->part_count > CITY_FILTER_PARTS_MAX)
        return 0;
    for (uint32_t i = 0; i < head->part_count; i++) {
        const struct part_image *part = &head->parts[i];
        uint64_t bytes = part->blocks * CITY_FILTER_BLOCK_BYTES;
        if (part->blocks < 1 || part->blocks > UINT32_MAX || part->capacity < 1 ||
            part->hashes < 1 || part->hashes > CITY_FILTER_HASHES_MAX || part->bits_set > bytes * 8)
            return 0;
        sum += part_image_bytes(part->blocks);
    }
    return sum;
}

static const char *judge_head(const struct head_image *head, const struct hash_key *key,
                              size_t size)
{
    if (memcmp(head->magic, magic, sizeof magic) != 0 ||
        head->crc != crc32c(0, head, offsetof(struct head_image, crc)))
        return "its head is damaged";
    if (head->version != VERSION)
        return "it is of another version";
    if (head->key_check != key_check(key))
        return "it is of another secret";
    if (!(head->rate >= CITY_FILTER_RATE_MIN && head->rate <= CITY_FILTER_RATE_MAX) ||
        pieces_bytes(head) == 0)
        return "its figures cannot be";
    if (pieces_bytes(head) != size - sizeof *head)
        return "it is of another size than its head says";
    return NULL;
}

/* Copies a part's pieces; NULL: one of them is damaged. Otherwise what lies behind them. */
static const char *load_part(struct city_filter_part *part, const char *from, uint32_t *crc)
{
    uint64_t bytes = part->blocks * CITY_FILTER_BLOCK_BYTES;

    for (uint64_t offset = 0; offset < bytes;) {
        size_t size = piece_size(bytes, offset);
        uint32_t wanted;
        *crc = crc32c(*crc, from, size);
        memcpy(&wanted, from + size, sizeof wanted);
        if (*crc != wanted)
            return NULL;
        memcpy((char *)part->words + offset, from, size);
        from += size + sizeof wanted;
        offset += size;
    }
    return from;
}

static const char *load_parts(struct city_filter *filter, const struct head_image *head,
                              const char *from)
{
    uint32_t crc = head->crc;

    for (uint32_t i = 0; i < head->part_count && from != NULL; i++) {
        const struct part_image *image = &head->parts[i];
        filter->parts[i] =
            (struct city_filter_part){.words = pages_new(image->blocks * CITY_FILTER_BLOCK_BYTES),
                                      .blocks = image->blocks,
                                      .capacity = image->capacity,
                                      .keys = image->keys,
                                      .bits_set = image->bits_set,
                                      .hashes = image->hashes};
        filter->part_count++;
        from = load_part(&filter->parts[i], from, &crc);
    }
    return from == NULL ? "its bits are damaged" : NULL;
}

const char *city_filter_load(struct city_filter *filter, const struct hash_key *key,
                             const void *image, size_t size, struct city_filter_saved *saved)
{
    struct head_image head;
    const char *wrong;

    if (size < sizeof head)
        return "it is too short";
    memcpy(&head, image, sizeof head);
    wrong = judge_head(&head, key, size);
    if (wrong != NULL)
        return wrong;
    *filter = (struct city_filter){.key = *key, .rate = head.rate};
    wrong = load_parts(filter, &head, (const char *)image + sizeof head);
    if (wrong != NULL)
        city_filter_release(filter);
    *saved = (struct city_filter_saved){head.city, head.covers};
    return wrong;
}
