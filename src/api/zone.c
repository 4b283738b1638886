/* Of a TZif file (RFC 9636) only the last line is wanted: the rule that holds after all changes it
 * lists. Files before version 2 have none. Names have no full stop in them (catalog_rule.def), so
 * they lead nowhere else. */
#include "api/zone.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "engine/quiet_hours.h"

enum { FILE_BYTES_MAX = 65536, PATH_BYTES_MAX = 128, RULE_BYTES_MAX = 96 };

static const char folder[] = "/usr/share/zoneinfo/";

/* 0: there is no such file. */
static size_t read_zone(struct arena *arena, struct text name, char **bytes)
{
    char path[PATH_BYTES_MAX];
    size_t size = 0;
    FILE *file;

    if ((size_t)snprintf(path, sizeof path, "%s%.*s", folder, (int)name.size, name.data) >=
        sizeof path)
        return 0;
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    *bytes = arena_alloc(arena, FILE_BYTES_MAX);
    size = fread(*bytes, 1, FILE_BYTES_MAX, file); /* of a directory nothing */
    fclose(file);
    return size;
}

static struct text last_line(const char *bytes, size_t size)
{
    static const char magic[] = "TZif";
    const char *begin;

    if (size < sizeof magic || memcmp(bytes, magic, sizeof magic - 1) != 0 ||
        bytes[sizeof magic - 1] < '2' || bytes[size - 1] != '\n')
        return (struct text){NULL, 0};
    begin = memrchr(bytes, '\n', size - 1);
    if (begin == NULL)
        return (struct text){NULL, 0};
    begin++;
    return (struct text){begin, (size_t)(bytes + size - 1 - begin)};
}

struct text zone_with_rule(struct arena *arena, struct text entry)
{
    struct timezone_rule rule;
    struct quiet_zone zone;
    struct text line = {NULL, 0};
    char *bytes, *kept;
    size_t size;
    bool is_zone = quiet_zone_read(entry, &zone);

    assert(is_zone);
    size = read_zone(arena, zone.name, &bytes);
    if (size > 0)
        line = last_line(bytes, size);
    if (line.size == 0 || line.size > RULE_BYTES_MAX || !timezone_parse(line, &rule))
        return (struct text){NULL, 0};
    kept = arena_alloc(arena, entry.size + 1 + line.size);
    memcpy(kept, entry.data, entry.size);
    kept[entry.size] = '\n';
    memcpy(kept + entry.size + 1, line.data, line.size);
    return (struct text){kept, entry.size + 1 + line.size};
}
