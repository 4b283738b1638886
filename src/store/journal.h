/* The journal: an append-only run of batches, each durable as a whole or not there. An interface,
 * so that a replicated log can stand where the local file stands now (OPS-10): nothing above
 * journal_segment.c may assume a local file.
 *
 * A batch is the rows that were changed, in their final form: replaying any suffix of the journal,
 * from a point at or before the last checkpoint, over newer rows ends in the same state. */
#ifndef SMSD_STORE_JOURNAL_H
#define SMSD_STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct journal;

/* Where a batch ended; recovery starts behind one. */
struct journal_position {
    uint64_t sequence; /* of the last batch covered; 0: none */
    uint64_t segment;  /* implementation's own */
    uint64_t offset;   /* implementation's own */
    uint32_t crc;      /* the chain's value there */
};

/* Whether what is admitted now can still be appended, whatever happens: a batch of the largest size
 * that is not handed over yet. */
enum journal_room {
    JOURNAL_HAS_ROOM,
    JOURNAL_WAITS, /* at its bound, or the next segment is not ready yet: a checkpoint will help */
    JOURNAL_STORAGE_FULL, /* the next segment cannot be made; tried again every second */
};

struct journal_ops {
    /* Calls `on_batch` for each batch behind `from`, in order, until the end. A torn last batch is
     * cut; any other damage is ERR_DAMAGED with a sentence in `why`. Before the first append. */
    int (*recover)(struct journal *journal, const struct journal_position *from,
                   int (*on_batch)(void *context, const struct journal_position *end,
                                   const void *payload, size_t size),
                   void *context, struct buffer *why);
    /* Starts making `payload` durable as batch `sequence` (the last one plus 1). One at a time; the
     * payload must stay until on_durable. */
    void (*append)(struct journal *journal, uint64_t sequence, const void *payload, size_t size);
    /* The position of the last durable batch. */
    void (*position)(struct journal *journal, struct journal_position *position);
    /* Everything up to and with `covered` is in a checkpoint: what holds nothing newer may go. */
    void (*release)(struct journal *journal, const struct journal_position *covered);
    /* Bytes a recovery would have to read. */
    uint64_t (*bytes)(struct journal *journal);
    enum journal_room (*room)(struct journal *journal);
    /* The largest batch append takes. */
    size_t (*batch_bytes_max)(const struct journal *journal);
    void (*close)(struct journal *journal);
};

struct journal {
    const struct journal_ops *ops;
    void (*on_durable)(void *context, uint64_t sequence); /* on the journal's thread */
    void *context;
};

enum {
    JOURNAL_SEGMENT_BYTES = 64 << 20,
    JOURNAL_BLOCK_BYTES = 4096, /* batches begin on blocks; a durable block is never rewritten */
    JOURNAL_BATCH_BYTES_MAX = 32 << 20,
};

/* The local journal: segment files in `directory`. */
struct journal_options {
    const char *directory;
    size_t bytes_max;     /* of all segments together, at least four; 0 is none */
    size_t segment_bytes; /* 0 is JOURNAL_SEGMENT_BYTES; a multiple of blocks, less only in tests */
    bool read_only;       /* for verify: not a byte is changed, append may not be called */
    struct buffer *summary; /* read_only: lines for the operator; or NULL */
};
int journal_segment_open(struct journal **journal, const struct journal_options *options,
                         struct buffer *why);

#endif
