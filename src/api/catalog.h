/* What the handlers of the catalogue share: from a body to the fields of a thing, and from a thing
 * to JSON; and how others name one. */
#ifndef SMSD_API_CATALOG_H
#define SMSD_API_CATALOG_H

#include "api/call.h"
#include "engine/catalog.h"

/* "enabled", "disabled", "void"; and back, 0: it is none of these. */
const char *catalog_status_text(enum catalog_status status);
enum catalog_status catalog_status_parse(struct text text);

/* The kind that the call's path names. */
enum catalog_kind call_catalog_kind(const struct call *call);
/* False, and replied: an API key that is of a company may not see things of this kind. */
bool call_may_see_kind(struct call *call, enum catalog_kind kind);
/* False, and replied: an API key that is of a company changes nothing of the catalogue. */
bool call_may_change_catalog(struct call *call);
/* Is the thing one that the API key may see? */
bool call_sees(const struct call *call, const struct catalog_thing *thing);

/* Fills the draft from the body. `before`: the thing as it is, NULL if it is new. What is wrong
 * with single fields is added to `errors`; whether what they refer to is there is asked here too.
 */
void catalog_bind(struct call *call, struct txn *txn, struct text id,
                  const struct catalog_thing *before, struct catalog_draft *draft,
                  struct json_errors *errors);

/* The object of the contract. `scratch` is used and reset. */
void catalog_write(struct json_writer *writer, struct txn *txn, const struct catalog_thing *thing,
                   struct arena *scratch);

/* The id of the thing with this number; null: there is none, as of 0. */
void catalog_write_id(struct json_writer *writer, const char *name, struct txn *txn,
                      enum catalog_kind kind, uint64_t number);

/* api/catalog_config.c: the text of a gateway's configuration as it is kept. Where a secret is
 * ******** it is that of `before`, the text that was kept until now (data NULL: none). */
struct text catalog_config_take(struct arena *arena, const struct json_value *config,
                                struct text before, struct json_errors *errors);
/* And as it is shown, its secrets as ********. */
void catalog_config_write(struct json_writer *writer, const char *name, struct text kept,
                          struct arena *scratch);

#endif
