/* A disk that a log of changes was played to, up to the moment the power failed: what was synced is
 * there; of what was not, any part may be. Sectors are 512 bytes and written whole or not; names of
 * one directory come to be durable in the order they were made, as a file system's own journal has
 * it. */
#ifndef SMSD_TESTS_DISK_H
#define SMSD_TESTS_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "record.h"

enum disk_loss {
    DISK_LOSES_ALL, /* that was not synced */
    DISK_LOSES_NONE,
    DISK_LOSES_WRITES,  /* each unsynced write is there or not */
    DISK_LOSES_SECTORS, /* each sector of each unsynced write is there or not */
    DISK_LOSSES,
};

struct disk;

struct disk *disk_new(const struct record_log *log);
void disk_free(struct disk *disk);
/* Plays the record at `index`; all before must have been played. */
void disk_play(struct disk *disk, size_t index);
/* Writes what is left after a power cut now to `directory`, which is made. `random` moves. */
void disk_build(const struct disk *disk, enum disk_loss loss, uint64_t *random,
                const char *directory);

#endif
