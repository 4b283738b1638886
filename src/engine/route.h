/* Routing (SMS-2) and what it goes by: the products' quotas (SMS-3).
 *
 * Routes of one company, country and kind are a group: one row, in the order in which they are
 * used. A product's row has what choosing it needs, its quota among it. So a choice costs two
 * look-ups, one for each product it considers, and one row written. */
#ifndef SMSD_ENGINE_ROUTE_H
#define SMSD_ENGINE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "engine/outcome.h"
#include "engine/row.h"

struct engine;
struct txn;

enum route_kind { ROUTE_KIND_VERIFICATION = 1, ROUTE_KIND_GENERAL = 2 };

struct route_choice {
    uint64_t route, product;
    bool failover_on_undelivered;
    int64_t price; /* of a part */
    /* Of the product, so that who only wants these need not find it: */
    uint32_t part_length;        /* 0: as the encoding has it */
    bool is_signature_supported; /* by its channel */
};

/* Among the enabled routes of (company, country, kind) whose product and its channel are enabled,
 * serves the country, has quota and is not in `tried`: those whose quota has not fallen below
 * low_switch, unless that is true of none; of these the lowest sort; there by weight, evenly: over
 * any messages in a row each gets its share to within two. What is chosen counts at once.
 * `country`: two capital letters. OUTCOME_OK or OUTCOME_NO_ROUTE. */
enum outcome route_choose(struct engine *engine, struct text company, struct text country,
                          enum route_kind kind, const uint64_t *tried, size_t tried_count,
                          struct route_choice *choice);
/* What route_choose would choose; changes nothing. */
enum outcome route_preview(struct txn *txn, struct text company, struct text country,
                           enum route_kind kind, const uint64_t *tried, size_t tried_count,
                           struct route_choice *choice);

/* Takes `parts` from the product's quota; where this takes it below low_warn, a webhook
 * PRODUCT_LOW, once until an operator's change lifts it again. OUTCOME_OK, or OUTCOME_NO_ROUTE with
 * nothing taken: fewer are left, choose again with the product among `tried`. A product whose quota
 * was never set is not counted: always OUTCOME_OK. */
enum outcome quota_take(struct engine *engine, uint64_t product, uint32_t parts);
/* Gives back what was taken and not used. */
void quota_return(struct engine *engine, uint64_t product, uint32_t parts);

/* What is known of a product beside its thing in the catalogue. False: there is no such product. */
bool product_find(struct txn *txn, uint64_t number, struct product_row *row);
/* The change of a product's quota with that number. */
bool quota_find(struct txn *txn, uint64_t product, uint64_t number, struct quota_row *row,
                struct text *reason);

#endif
