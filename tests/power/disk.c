/* The simulated disk, see disk.h: for each file what is durable, and the changes since; for the
 * directory tree the same. */
#include "disk.h"

#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 4096, PENDING_MAX = 8192, NAMES_MAX = 256, PATH_MAX_ = 1024, SECTOR = 512 };

struct content {
    char *data;
    size_t size, capacity;
};

struct pending {
    size_t *records; /* indexes into the log */
    size_t count, capacity;
};

struct name {
    char text[256];
    uint32_t inode;
    bool is_directory;
};

struct names {
    struct name entries[NAMES_MAX];
    int count;
};

struct disk {
    const struct record_log *log;
    struct content durable[FILES_MAX]; /* by inode */
    struct pending pending[FILES_MAX];
    struct names names;              /* durable */
    struct pending name_changes;     /* of all directories, in order */
    char directories[FILES_MAX][64]; /* names of the directories, by inode */
};

struct disk *disk_new(const struct record_log *log)
{
    struct disk *disk = calloc(1, sizeof *disk);
    assert(disk != NULL);
    disk->log = log;
    return disk;
}

void disk_free(struct disk *disk)
{
    for (int i = 0; i < FILES_MAX; i++) {
        free(disk->durable[i].data);
        free(disk->pending[i].records);
    }
    free(disk->name_changes.records);
    free(disk);
}

static void push(struct pending *pending, size_t record)
{
    if (pending->count == pending->capacity) {
        pending->capacity = pending->capacity == 0 ? 16 : 2 * pending->capacity;
        pending->records = realloc(pending->records, pending->capacity * sizeof *pending->records);
        assert(pending->records != NULL);
    }
    pending->records[pending->count++] = record;
}

static void grow(struct content *content, size_t size)
{
    if (size > content->capacity) {
        content->capacity = size * 2;
        content->data = realloc(content->data, content->capacity);
        assert(content->data != NULL);
    }
    if (size > content->size) {
        memset(content->data + content->size, 0, size - content->size);
        content->size = size;
    }
}

static void write_part(struct content *content, uint64_t offset, const char *data, size_t size)
{
    if (size == 0)
        return; /* of a file that is empty there is nothing to point to */
    grow(content, offset + size);
    assert(content->data != NULL);
    memcpy(content->data + offset, data, size);
}

static uint64_t disk_draw(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random >> 20;
}

static void write_some_sectors(struct content *content, const struct record *record,
                               uint64_t *random)
{
    for (uint64_t at = 0; at < record->size;) {
        uint64_t end = (record->offset + at) / SECTOR * SECTOR + SECTOR - record->offset;
        if (end > record->size)
            end = record->size;
        if (disk_draw(random) % 2 == 0)
            write_part(content, record->offset + at, record->data + at, end - at);
        at = end;
    }
}

/* A change to a file's content, whole. */
static void apply(struct content *content, const struct record *record)
{
    switch (record->kind) {
    case RECORD_WRITE:
        write_part(content, record->offset, record->data, record->size);
        break;
    case RECORD_ALLOCATE:
        grow(content, record->offset);
        break;
    case RECORD_TRUNCATE:
        grow(content, record->offset);
        content->size = record->offset;
        break;
    default:
        assert(!"a change to content");
    }
}

static struct name *find_name(struct names *names, const char *text)
{
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->entries[i].text, text) == 0)
            return &names->entries[i];
    return NULL;
}

static void remove_name(struct names *names, const char *text)
{
    struct name *name = find_name(names, text);
    if (name != NULL)
        *name = names->entries[--names->count];
}

static void apply_name(struct names *names, const struct record *record)
{
    const char *text = record->data;
    struct name *name;
    switch (record->kind) {
    case RECORD_CREATE:
    case RECORD_DIRECTORY:
        assert(names->count < NAMES_MAX);
        name = &names->entries[names->count++];
        snprintf(name->text, sizeof name->text, "%s", text);
        name->inode = record->inode;
        name->is_directory = record->kind == RECORD_DIRECTORY;
        break;
    case RECORD_RENAME:
        name = find_name(names, text);
        if (name == NULL)
            break; /* its creation was lost, and this with it */
        struct name moved = *name;
        remove_name(names, text);
        remove_name(names, text + strlen(text) + 1);
        snprintf(moved.text, sizeof moved.text, "%s", text + strlen(text) + 1);
        names->entries[names->count++] = moved;
        break;
    case RECORD_UNLINK:
        remove_name(names, text);
        break;
    default:
        assert(!"a change to names");
    }
}

/* The directory a name lies in: all up to the last slash. */
static bool lies_in(const char *name, const char *directory)
{
    const char *slash = strrchr(name, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - name);
    return size == strlen(directory) && memcmp(name, directory, size) == 0;
}

static void sync_content(struct disk *disk, uint32_t inode, size_t begin)
{
    struct pending *pending = &disk->pending[inode];
    size_t kept = 0;
    for (size_t i = 0; i < pending->count; i++) {
        struct record record = record_get(disk->log, pending->records[i]);
        if (pending->records[i] < begin)
            apply(&disk->durable[inode], &record);
        else
            pending->records[kept++] = pending->records[i];
    }
    pending->count = kept;
}

static void sync_names(struct disk *disk, const char *directory, size_t begin)
{
    struct pending *pending = &disk->name_changes;
    size_t kept = 0;
    for (size_t i = 0; i < pending->count; i++) {
        struct record record = record_get(disk->log, pending->records[i]);
        if (pending->records[i] < begin && lies_in(record.data, directory))
            apply_name(&disk->names, &record);
        else
            pending->records[kept++] = pending->records[i];
    }
    pending->count = kept;
}

void disk_play(struct disk *disk, size_t index)
{
    struct record record = record_get(disk->log, index);
    assert(record.inode < FILES_MAX);
    switch (record.kind) {
    case RECORD_WRITE:
        if (record.is_durable) {
            /* Nothing older and unsynced may hide it later. */
            sync_content(disk, record.inode, 0);
            apply(&disk->durable[record.inode], &record);
            break;
        }
        push(&disk->pending[record.inode], index);
        break;
    case RECORD_TRUNCATE:
    case RECORD_ALLOCATE:
        push(&disk->pending[record.inode], index);
        break;
    case RECORD_DIRECTORY:
        snprintf(disk->directories[record.inode], sizeof disk->directories[0], "%s", record.data);
        if (record.data[0] != '\0')
            push(&disk->name_changes, index);
        else
            disk->directories[record.inode][0] = '\0';
        break;
    case RECORD_CREATE:
    case RECORD_RENAME:
    case RECORD_UNLINK:
        push(&disk->name_changes, index);
        break;
    case RECORD_SYNC_END:
        sync_content(disk, record.inode, record.offset);
        sync_names(disk, disk->directories[record.inode], record.offset);
        break;
    case RECORD_SYNC_BEGIN:
    case RECORD_MARK:
        break;
    }
}

/* Building */

static void keep_names(const struct disk *disk, enum disk_loss loss, uint64_t *random,
                       struct names *names)
{
    *names = disk->names;
    for (int d = 0; d < FILES_MAX; d++) {
        bool is_root = d == 0;
        if (!is_root && disk->directories[d][0] == '\0')
            continue;
        uint64_t left = loss == DISK_LOSES_ALL    ? 0
                        : loss == DISK_LOSES_NONE ? UINT64_MAX
                                                  : disk_draw(random) % 4;
        for (size_t i = 0; i < disk->name_changes.count && left > 0; i++) {
            struct record record = record_get(disk->log, disk->name_changes.records[i]);
            if (!lies_in(record.data, disk->directories[d]))
                continue;
            apply_name(names, &record);
            left--;
        }
    }
}

static void build_content(const struct disk *disk, uint32_t inode, enum disk_loss loss,
                          uint64_t *random, struct content *content)
{
    const struct pending *pending = &disk->pending[inode];
    content->size = 0;
    if (disk->durable[inode].size > 0)
        write_part(content, 0, disk->durable[inode].data, disk->durable[inode].size);
    for (size_t i = 0; i < pending->count; i++) {
        struct record record = record_get(disk->log, pending->records[i]);
        if (loss == DISK_LOSES_ALL)
            break;
        if (loss == DISK_LOSES_SECTORS && record.kind == RECORD_WRITE)
            write_some_sectors(content, &record, random);
        else if (loss == DISK_LOSES_NONE || disk_draw(random) % 2 == 0)
            apply(content, &record);
    }
}

static void put_file(const char *path, const struct content *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert(fd >= 0);
    for (size_t done = 0; done < content->size;) {
        ssize_t put = write(fd, content->data + done, content->size - done);
        assert(put > 0);
        done += (size_t)put;
    }
    close(fd);
}

void disk_build(const struct disk *disk, enum disk_loss loss, uint64_t *random,
                const char *directory)
{
    struct names names;
    struct content content = {0};
    char path[PATH_MAX_];

    assert(mkdir(directory, 0700) == 0);
    keep_names(disk, loss, random, &names);
    for (int i = 0; i < names.count; i++) {
        if (!names.entries[i].is_directory)
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, names.entries[i].text);
        assert(mkdir(path, 0700) == 0);
    }
    for (int i = 0; i < names.count; i++) {
        const struct name *name = &names.entries[i];
        char parent[sizeof name->text];
        snprintf(parent, sizeof parent, "%s", name->text);
        char *slash = strrchr(parent, '/');
        if (name->is_directory)
            continue;
        if (slash != NULL) {
            *slash = '\0';
            if (find_name(&names, parent) == NULL)
                continue; /* the directory itself was lost */
        }
        snprintf(path, sizeof path, "%s/%s", directory, name->text);
        build_content(disk, name->inode, loss, random, &content);
        put_file(path, &content);
    }
    free(content.data);
}
