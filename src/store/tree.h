/* Rows at rest: LMDB, one database a table, in `directory`; each value with its checksum
 * (lmdb_row.h). A reader sees the rows as of the commit it was begun or renewed at,
 * and keeps their pages from being reused until then; a reader may move between threads but is used
 * by one at a time. There is one writer, on any thread. */
#ifndef SMSD_STORE_TREE_H
#define SMSD_STORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/table.h"

struct buffer;
struct journal_position;
struct tree;
struct tree_reader;
struct tree_cursor;
struct tree_writer;

/* `read_only`: not a byte is changed, no lock is taken; the caller keeps writers out. */
int tree_open(struct tree **tree, const char *directory, size_t map_bytes_max, bool read_only,
              struct buffer *why);
void tree_close(struct tree *tree);

int tree_reader_begin(struct tree *tree, struct tree_reader **reader);
/* Moves on to the newest commit; what was read before is void. A failure stops the process. */
void tree_reader_renew(struct tree_reader *reader);

/* Shortcuts for look-ups, made of one commit (leaf_index.h). */
struct tree_index;
/* Of the newest commit, for the tables that `reader` looked rows up in since the last time; any
 * thread but the writer's must keep from committing meanwhile. NULL if there is nothing to gain. */
struct tree_index *tree_index_new(struct tree *tree, struct tree_reader *reader);
void tree_index_free(struct tree_index *index);
/* Rows were looked up in tables that have no index yet, often enough. */
bool tree_reader_wants_index(const struct tree_reader *reader);
/* Used from here on, if it was made of the commit that the reader is at; returns the one used
 * before. */
struct tree_index *tree_reader_use(struct tree_reader *reader, struct tree_index *index);
void tree_reader_end(struct tree_reader *reader);
/* The value or NULL, valid until the reader is renewed or ended. A row that cannot be read or whose
 * checksum is wrong stops the process. */
const void *tree_get(struct tree_reader *reader, enum table table, const void *key, size_t key_size,
                     size_t *value_size);
/* The position the last commit of a checkpoint wrote; all zeros in a new store. */
int tree_position(struct tree_reader *reader, struct journal_position *position);
/* Rows LMDB counts in a table. */
int tree_count(struct tree_reader *reader, enum table table, uint64_t *rows);

/* A cursor stands nowhere until it was moved. Key and value are valid while it stands there. */
struct tree_row {
    const void *key;
    size_t key_size;
    const void *value;
    size_t value_size;
};
/* NULL if the table has no rows or there is no memory (which stops the process). */
struct tree_cursor *tree_cursor_open(struct tree_reader *reader, enum table table);
void tree_cursor_close(struct tree_cursor *cursor);
/* To the first key >= `key` (`up`), or the last key <= `key`; `key` NULL: to the end the direction
 * starts at. Then on, row by row. 1 and the row; 0: none left; ERR_DAMAGED: its checksum is wrong
 * (the row's key is given, and the cursor can go on), ERR_IO: LMDB failed. */
int tree_cursor_seek(struct tree_cursor *cursor, bool up, const void *key, size_t key_size,
                     struct tree_row *row);
int tree_cursor_move(struct tree_cursor *cursor, bool up, struct tree_row *row);

/* The writer: rows come table by table, within a table in ascending key order. Errors are kept and
 * come out of the commit; `why` tells them. */
/* `pages_max` bounds the pages one transaction changes, about; 0: what is sensible. */
struct tree_writer *tree_writer_new(struct tree *tree, size_t pages_max);
void tree_writer_free(struct tree_writer *writer);
void tree_writer_begin(struct tree_writer *writer);
void tree_writer_put(struct tree_writer *writer, enum table table, const void *key, size_t key_size,
                     const void *value, size_t value_size);
void tree_writer_delete(struct tree_writer *writer, enum table table, const void *key,
                        size_t key_size);
/* The pages it has changed are about as many as it may hold in memory: time to commit. */
bool tree_writer_is_full(const struct tree_writer *writer);
/* Synced when it returns 0; `position` NULL: it stays. On failure nothing since begin has happened.
 */
int tree_writer_commit(struct tree_writer *writer, const struct journal_position *position,
                       struct buffer *why);
void tree_writer_abort(struct tree_writer *writer);

#endif
