/* The rows of table.def, by number. The names are declared in upper case and shown in lower case;
 * they are lowered once, before main. */
#include "store/table.h"

#define UNORDERED false, false
#define ORDERED   true, false
#define MISSED    false, true

#define TABLE(name, number, order, value_bytes_max) static char name_of_##number[] = #name;
#include "store/table.def"
#undef TABLE

const struct table_info table_infos[TABLE_NUMBER_MAX + 1] = {
#define TABLE(name, number, order, value_bytes_max)                                                \
    [(number)] = {name_of_##number, order, (value_bytes_max)},
#include "store/table.def"
#undef TABLE
};

#define TABLE(name, number, order, value_bytes_max)                                                \
    _Static_assert((number) > 0 && (number) < TABLE_NUMBER_MAX, "number of " #name);               \
    _Static_assert((value_bytes_max) <= VALUE_BYTES_MAX, "value_bytes_max of " #name);
#include "store/table.def"
#undef TABLE

__attribute__((constructor)) static void lower_names(void)
{
    char *const names[] = {
#define TABLE(name, number, order, value_bytes_max) name_of_##number,
#include "store/table.def"
#undef TABLE
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (char *c = names[i]; *c != '\0'; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c - 'A' + 'a');
}
