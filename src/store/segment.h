/* The format of a journal segment: a file of a fixed size in blocks of JOURNAL_BLOCK_BYTES. The
 * first block is the header; batches follow, each beginning on a block and filled up with zeros to
 * the next. What comes after the last batch is zeros, or, in a segment that served before, batches
 * of lower sequences.
 *
 * Everything is little-endian. Every header carries the journal's identity, random at its birth:
 * bytes a client sent cannot pass for a header, wherever they come to lie. */
#ifndef SMSD_STORE_SEGMENT_H
#define SMSD_STORE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/journal.h"

enum {
    SEGMENT_FORMAT = 1,
    SEGMENT_NAME_MAX = 32,
};

struct segment_header {
    uint64_t magic;
    uint32_t crc; /* of the whole block, this field zero */
    uint32_t format;
    uint64_t journal; /* its identity */
    uint64_t number;
    uint64_t bytes;
    uint64_t epoch;          /* of the run that began it */
    uint64_t first_sequence; /* of the first batch in it, there or not */
    uint32_t chain;          /* the chain's value before that batch */
    uint32_t zero;
};

struct batch_header {
    uint32_t magic;
    uint32_t crc;     /* of this header, this field zero */
    uint64_t journal; /* its identity */
    uint64_t sequence;
    uint64_t epoch; /* grows with each opening: never less than the batch's before */
    uint32_t payload_bytes;
    uint32_t previous_chain;
    uint32_t chain; /* CRC-32C of the previous value, this header with chain and crc zero, payload
                       and zeros */
    uint32_t zero[5];
};
_Static_assert(sizeof(struct segment_header) == 64, "as on disk");
_Static_assert(sizeof(struct batch_header) == 64, "as on disk");

/* A batch of `payload_bytes` on disk. */
static inline uint64_t segment_batch_bytes(size_t payload_bytes)
{
    uint64_t bytes = sizeof(struct batch_header) + payload_bytes;
    return (bytes + JOURNAL_BLOCK_BYTES - 1) / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES;
}

void segment_name(char name[SEGMENT_NAME_MAX], uint64_t number);
/* The number in a segment's file name; 0 if it is not one. */
uint64_t segment_number(const char *name);

void segment_header_seal(struct segment_header *header, unsigned char block[JOURNAL_BLOCK_BYTES]);
/* True if the block is a sealed header of this version; it is copied to `header`. */
bool segment_header_open(struct segment_header *header,
                         const unsigned char block[JOURNAL_BLOCK_BYTES]);

/* Fills in magic, chain and crc; `padding` zeros follow the payload. */
void batch_header_seal(struct batch_header *header, const void *payload, size_t padding);
/* True if the header's own checksum is right. Says nothing about the payload. */
bool batch_header_is_whole(const struct batch_header *header);
/* True if payload (with the zeros behind it) is what the header was sealed over. */
bool batch_header_covers(const struct batch_header *header, const void *payload,
                         size_t payload_and_padding);

/* At an offset of a segment: */
enum segment_read {
    SEGMENT_BATCH = 1, /* a whole batch that continues the chain */
    SEGMENT_END = 0,   /* nothing that does */
    /* negative: an enum error, told in `why` */
};
struct segment_reader {
    const char *path;
    int fd;
    uint64_t bytes;
    uint64_t journal; /* its identity; 0: not known, as no segment was begun */
    struct buffer
        *payload; /* of the last batch read; with the zeros behind it, `payload_bytes` are it */
    size_t payload_bytes;
    uint64_t epoch; /* of the last batch read */
};
/* Reads the batch after `position` at `position->offset` and moves `position` behind it. */
int segment_read(struct segment_reader *reader, struct journal_position *position,
                 struct buffer *why);
/* Looks at every block from `offset` on for the header of a batch of `sequence` or later: 1 and
 * where it is, 0 if there is none, or an enum error. */
int segment_find_later(struct segment_reader *reader, uint64_t offset, uint64_t sequence,
                       uint64_t *found, struct buffer *why);

#endif
