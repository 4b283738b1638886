/* The tables, as declared in table.def. Numbers are stored for ever: the journal has them, and they
 * name LMDB's databases. Sizes are in bytes. */
#ifndef SMSD_STORE_TABLE_H
#define SMSD_STORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum table {
#define TABLE(name, number, order, value_bytes_max) TABLE_##name = (number),
#include "store/table.def"
#undef TABLE
    TABLE_NUMBER_MAX = 95 /* room for tables to come; all numbers are below it */
};

enum {
    KEY_BYTES_MAX = 128,
    VALUE_BYTES_MAX = 4096, /* over all tables */
};

struct table_info {
    const char *name; /* lower case; NULL: there is no table of this number */
    bool is_ordered;
    bool is_missed; /* most look-ups find nothing: it has a filter */
    size_t value_bytes_max;
};

/* Indexed by number, TABLE_NUMBER_MAX + 1 of them. */
extern const struct table_info table_infos[];

#endif
