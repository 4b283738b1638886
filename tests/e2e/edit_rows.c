/* Edits the rows of a data directory that nobody has open, behind smsd's back but with the right
 * checksum of each row: what somebody does who wants to change the books and knows LMDB.
 *
 *     edit_rows DATA_DIR list TABLE            a line a row: key and value, in hexadecimal
 *     edit_rows DATA_DIR put TABLE KEY VALUE
 *     edit_rows DATA_DIR delete TABLE KEY      TABLE is its number in store/table.def */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "store/tree.h"

enum { PATH_BYTES_MAX = 4096 };

static size_t from_hex(unsigned char *to, size_t to_max, const char *text)
{
    size_t size = strlen(text) / 2;

    if (size > to_max)
        exit(2);
    for (size_t i = 0; i < size; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        to[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return size;
}

static void print_hex(const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        printf("%02x", ((const unsigned char *)data)[i]);
}

static int list(struct tree *tree, enum table table)
{
    struct tree_reader *reader;
    struct tree_cursor *cursor;
    struct tree_row row;
    int found;

    if (tree_reader_begin(tree, &reader) != 0)
        return 1;
    cursor = tree_cursor_open(reader, table);
    found = cursor == NULL ? 0 : tree_cursor_seek(cursor, true, NULL, 0, &row);
    while (found == 1) {
        print_hex(row.key, row.key_size);
        printf(" ");
        print_hex(row.value, row.value_size);
        printf("\n");
        found = tree_cursor_move(cursor, true, &row);
    }
    tree_cursor_close(cursor);
    tree_reader_end(reader);
    return found == 0 ? 0 : 1;
}

static int change(struct tree *tree, enum table table, const char *key_text, const char *value_text)
{
    unsigned char key[KEY_BYTES_MAX], value[VALUE_BYTES_MAX];
    size_t key_size = from_hex(key, sizeof key, key_text), value_size;
    struct tree_writer *writer = tree_writer_new(tree, 0);
    struct buffer why;
    int error;

    buffer_init(&why);
    tree_writer_begin(writer);
    if (value_text == NULL) {
        tree_writer_delete(writer, table, key, key_size);
    } else {
        value_size = from_hex(value, sizeof value, value_text);
        tree_writer_put(writer, table, key, key_size, value, value_size);
    }
    error = tree_writer_commit(writer, NULL, &why);
    if (error != 0)
        fprintf(stderr, "%.*s\n", (int)why.size, why.data);
    tree_writer_free(writer);
    buffer_release(&why);
    return error == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    char rows[PATH_BYTES_MAX];
    enum table table;
    struct tree *tree;
    struct buffer why;
    int status = 2;

    if (argc < 4 || snprintf(rows, sizeof rows, "%s/rows", argv[1]) >= (int)sizeof rows)
        return status;
    table = (enum table)strtoul(argv[3], NULL, 10);
    buffer_init(&why);
    if (tree_open(&tree, rows, (size_t)1 << 32, false, &why) != 0) {
        fprintf(stderr, "%.*s\n", (int)why.size, why.data);
        return 1;
    }
    if (strcmp(argv[2], "list") == 0)
        status = list(tree, table);
    else if (strcmp(argv[2], "put") == 0 && argc == 6)
        status = change(tree, table, argv[4], argv[5]);
    else if (strcmp(argv[2], "delete") == 0 && argc == 5)
        status = change(tree, table, argv[4], NULL);
    tree_close(tree);
    buffer_release(&why);
    return status;
}
