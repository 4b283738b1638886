/* Sealing, opening and reading of segments, see segment.h. Nothing here writes a file. */
#include "store/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "store/file.h"

#define SEGMENT_MAGIC UINT64_C(0x6a736d73642d3031) /* "10-dsmsj" on disk */
#define BATCH_MAGIC   UINT32_C(0x62736d73)
#define NAME_DIGITS   16
#define NAME_SUFFIX   ".segment"

enum { SCAN_BYTES = 1 << 20 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "what is written is little-endian");

void segment_name(char name[SEGMENT_NAME_MAX], uint64_t number)
{
    snprintf(name, SEGMENT_NAME_MAX, "%0*llu" NAME_SUFFIX, NAME_DIGITS, (unsigned long long)number);
}

uint64_t segment_number(const char *name)
{
    uint64_t number = 0;
    if (strlen(name) != NAME_DIGITS + sizeof NAME_SUFFIX - 1 ||
        strcmp(name + NAME_DIGITS, NAME_SUFFIX) != 0)
        return 0;
    for (int i = 0; i < NAME_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        number = number * 10 + (uint64_t)(name[i] - '0');
    }
    return number;
}

void segment_header_seal(struct segment_header *header, unsigned char block[JOURNAL_BLOCK_BYTES])
{
    header->magic = SEGMENT_MAGIC;
    header->format = SEGMENT_FORMAT;
    header->crc = 0;
    header->zero = 0;
    memset(block, 0, JOURNAL_BLOCK_BYTES);
    memcpy(block, header, sizeof *header);
    header->crc = crc32c(0, block, JOURNAL_BLOCK_BYTES);
    memcpy(block, header, sizeof *header);
}

bool segment_header_open(struct segment_header *header,
                         const unsigned char block[JOURNAL_BLOCK_BYTES])
{
    struct segment_header plain;
    memcpy(header, block, sizeof *header);
    plain = *header;
    plain.crc = 0;
    uint32_t crc = crc32c(0, &plain, sizeof plain);
    crc = crc32c(crc, block + sizeof plain, JOURNAL_BLOCK_BYTES - sizeof plain);
    return header->magic == SEGMENT_MAGIC && header->crc == crc && header->format == SEGMENT_FORMAT;
}

static uint32_t header_crc(const struct batch_header *header)
{
    struct batch_header plain = *header;
    plain.crc = 0;
    return crc32c(0, &plain, sizeof plain);
}

static uint32_t chain_start(const struct batch_header *header)
{
    struct batch_header plain = *header;
    plain.crc = 0;
    plain.chain = 0;
    return crc32c(header->previous_chain, &plain, sizeof plain);
}

void batch_header_seal(struct batch_header *header, const void *payload, size_t padding)
{
    static const unsigned char zeros[JOURNAL_BLOCK_BYTES];
    header->magic = BATCH_MAGIC;
    memset(header->zero, 0, sizeof header->zero);
    uint32_t chain = crc32c(chain_start(header), payload, header->payload_bytes);
    header->chain = crc32c(chain, zeros, padding);
    header->crc = header_crc(header);
}

bool batch_header_is_whole(const struct batch_header *header)
{
    return header->magic == BATCH_MAGIC && header->crc == header_crc(header);
}

bool batch_header_covers(const struct batch_header *header, const void *payload,
                         size_t payload_and_padding)
{
    return header->chain == crc32c(chain_start(header), payload, payload_and_padding);
}

static bool continues(const struct segment_reader *reader, const struct journal_position *position,
                      const struct batch_header *header)
{
    return batch_header_is_whole(header) && header->journal == reader->journal &&
           header->sequence == position->sequence + 1 && header->epoch >= reader->epoch &&
           header->previous_chain == position->crc &&
           segment_batch_bytes(header->payload_bytes) <= reader->bytes - position->offset;
}

int segment_read(struct segment_reader *reader, struct journal_position *position,
                 struct buffer *why)
{
    struct batch_header header;
    if (position->offset + JOURNAL_BLOCK_BYTES > reader->bytes)
        return SEGMENT_END;
    int error = file_read_at(reader->fd, &header, sizeof header, position->offset);
    if (error != 0)
        return file_fail(why, "read", reader->path, error);
    if (!continues(reader, position, &header))
        return SEGMENT_END;
    uint64_t on_disk = segment_batch_bytes(header.payload_bytes);
    size_t size = on_disk - sizeof header;
    reader->payload->size = 0;
    char *payload = buffer_reserve(reader->payload, size);
    error = file_read_at(reader->fd, payload, size, position->offset + sizeof header);
    if (error != 0)
        return file_fail(why, "read", reader->path, error);
    if (!batch_header_covers(&header, payload, size))
        return SEGMENT_END;
    reader->payload->size = size;
    reader->payload_bytes = header.payload_bytes;
    reader->epoch = header.epoch;
    position->sequence = header.sequence;
    position->crc = header.chain;
    position->offset += on_disk;
    return SEGMENT_BATCH;
}

static bool find_in(const struct segment_reader *reader, const char *blocks, size_t size,
                    uint64_t sequence, size_t *at)
{
    struct batch_header header;
    for (*at = 0; *at < size; *at += JOURNAL_BLOCK_BYTES) {
        memcpy(&header, blocks + *at, sizeof header);
        if (batch_header_is_whole(&header) && header.sequence >= sequence &&
            (reader->journal == 0 || header.journal == reader->journal))
            return true;
    }
    return false;
}

int segment_find_later(struct segment_reader *reader, uint64_t offset, uint64_t sequence,
                       uint64_t *found, struct buffer *why)
{
    int result = 0;
    char *blocks = malloc(SCAN_BYTES);
    if (blocks == NULL)
        return ERR_NO_MEMORY;
    while (result == 0 && offset < reader->bytes) {
        uint64_t left = reader->bytes - offset;
        size_t size = left < SCAN_BYTES ? (size_t)left : SCAN_BYTES;
        size_t at;
        int error = file_read_at(reader->fd, blocks, size, offset);
        if (error != 0)
            result = file_fail(why, "read", reader->path, error);
        else if (find_in(reader, blocks, size, sequence, &at)) {
            *found = offset + at;
            result = 1;
        }
        offset += size;
    }
    free(blocks);
    return result;
}
