/* Inside the engine: what follows from a thing of the catalogue and is kept beside it, in the same
 * commit: a product's row, groups of routes, countries by calling code. */
#ifndef SMSD_ENGINE_CATALOG_INDEX_H
#define SMSD_ENGINE_CATALOG_INDEX_H

#include "engine/catalog.h"
#include "engine/row.h"

struct engine;

/* A thing changed from `before` (NULL: it is new) to `after`, and is stored as that. Both are
 * copies. OUTCOME_OK, or OUTCOME_TOO_MANY_ROUTES or OUTCOME_CONFLICT where a list is full; what was
 * written by then is the caller's to take back. */
enum outcome catalog_index_change(struct engine *engine, const struct catalog_thing *before,
                                  const struct catalog_thing *after);

/* A row of TABLE_CATALOG as a thing. False: it is damaged. */
bool catalog_view(struct catalog_thing *thing, const void *value, size_t size);
struct catalog_calling catalog_calling_of(const struct catalog_thing *country);

/* engine/product.c */
/* What the thing says that its row repeats; the rest of the row is as of a new product. */
struct product_row product_row_of(const struct catalog_thing *product);
void product_change(struct engine *engine, const struct catalog_thing *product);
void product_store(struct engine *engine, const struct product_row *row);
/* engine/route_group.c */
struct route_member route_member_of(const struct catalog_thing *route, uint64_t product);
enum outcome route_group_change(struct engine *engine, const struct catalog_thing *before,
                                const struct catalog_thing *after);

enum { ROUTES_PER_GROUP_MAX = 64, ROUTE_KEY_MAX = 3 + CATALOG_ID_MAX };
/* Or-ed to the kind in the keys of TABLE_ROUTE_STATE for messages that were tried before. */
#define ROUTE_STATE_OF_RETRIES ((char)0x40)
/* The key of a group; returns its size. */
size_t route_group_key(char key[ROUTE_KEY_MAX], int64_t kind, struct text country,
                       struct text company);
struct route_group {
    size_t count;
    struct route_member members[ROUTES_PER_GROUP_MAX];
};
void route_group_read(struct txn *txn, const char *key, size_t key_size, struct route_group *group);

/* A draft as a thing with fields and nothing else, over the draft's bytes. */
void catalog_draft_view(const struct catalog_draft *draft, struct catalog_thing *thing);
/* The bytes of a field as they are stored; data NULL: not given. */
struct text catalog_field_bytes(const struct catalog_thing *thing, enum catalog_field field);

/* Two letters of a country to its bit in product_row.countries. */
unsigned country_bit(struct text country);

#endif
