/* History on disk, in step with the list of records in memory. */
#ifndef SMSD_TESTS_SIM_DISK_HISTORY_H
#define SMSD_TESTS_SIM_DISK_HISTORY_H

#include "archive.h"
#include "store/history.h"

/* The chunk's records are there, durably. */
void disk_history_keep(struct history *history, struct archive *archive);
void disk_history_drop(struct history *history, uint32_t day);
/* What has left the rows is there, byte by byte. */
void disk_history_compare(struct history *history, struct archive *archive, struct txn *txn);

#endif
