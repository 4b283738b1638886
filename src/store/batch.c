/* Rows of a batch to bytes and back. */
#include "store/batch.h"

#include <assert.h>

#include "base/buffer.h"
#include "base/error.h"

enum { DELETED = 0x80, VARINT_BYTES_MAX = 3, ROW_HEAD_BYTES_MAX = 1 + 2 * VARINT_BYTES_MAX };

_Static_assert((int)ROW_HEAD_BYTES_MAX <= (int)ROW_COST, "a row's cost covers its head");
_Static_assert((int)TABLE_NUMBER_MAX < (int)DELETED, "the table's number leaves a bit free");
_Static_assert((int)VALUE_BYTES_MAX < 1 << 21, "three bytes hold every size");

static char *put_varint(char *to, size_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (char)(value | 0x80);
    *to++ = (char)value;
    return to;
}

static int get_varint(const unsigned char **at, const unsigned char *end, size_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
        if (*at == end)
            return ERR_DAMAGED;
        unsigned char byte = *(*at)++;
        *value |= (size_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return 0;
    }
    return ERR_DAMAGED;
}

size_t batch_encode(struct buffer *to, const struct overlay *overlay, row_ref first)
{
    size_t rows = 0;
    for (row_ref ref = first; ref != 0; rows++) {
        const struct row *row = overlay_row(overlay, ref);
        char *start =
            buffer_reserve(to, ROW_HEAD_BYTES_MAX + (size_t)row->key_size + row->value_size);
        char *at = start;
        *at++ = (char)(row->table | (row->is_deleted ? DELETED : 0));
        at = put_varint(at, row->key_size);
        if (!row->is_deleted)
            at = put_varint(at, row->value_size);
        memcpy(at, row_key(row), row->key_size);
        at += row->key_size;
        if (!row->is_deleted) {
            memcpy(at, overlay_value(overlay, row), row->value_size);
            at += row->value_size;
        }
        to->size += (size_t)(at - start);
        ref = row->next_changed;
    }
    return rows;
}

int batch_next(const unsigned char **at, const unsigned char *end, struct batch_row *row)
{
    if (*at == end)
        return 0;
    unsigned char head = *(*at)++;
    row->table = head & (DELETED - 1);
    row->is_deleted = head >= DELETED;
    row->value_size = 0;
    if (row->table > TABLE_NUMBER_MAX || table_infos[row->table].name == NULL)
        return ERR_DAMAGED; /* or written by a later version */
    if (get_varint(at, end, &row->key_size) != 0)
        return ERR_DAMAGED;
    if (!row->is_deleted && get_varint(at, end, &row->value_size) != 0)
        return ERR_DAMAGED;
    if (row->key_size == 0 || row->key_size > KEY_BYTES_MAX || row->value_size > VALUE_BYTES_MAX ||
        (size_t)(end - *at) < row->key_size + row->value_size)
        return ERR_DAMAGED;
    row->key = *at;
    row->value = *at + row->key_size;
    *at += row->key_size + row->value_size;
    return 1;
}
