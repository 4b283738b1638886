/* What the billing handlers share: how accounts and entries are written. */
#ifndef SMSD_API_BILLING_H
#define SMSD_API_BILLING_H

#include "api/call.h"
#include "engine/ledger.h"

#define ACCOUNT_ID_RULE "must be 1 to 64 letters, digits or any of _.:+-@, not beginning with @"

/* The account object of the contract; `name` as in json/write.h. */
void write_account(struct json_writer *writer, const char *name, struct text id,
                   const struct account_row *row);

/* The entry object of the contract. */
struct entry_view {
    uint64_t number;
    struct text account;
    enum entry_type type;
    int64_t amount, balance;
    uint32_t count;
    struct text reference;
    uint64_t source;
};
void write_entry(struct json_writer *writer, const struct entry_view *entry);
/* False if `text` is no entry type. */
bool entry_type_parse(struct text text, enum entry_type *type);

static inline void write_reference(struct json_writer *writer, struct text reference)
{
    if (reference.size == 0)
        json_null(writer, "reference");
    else
        json_text(writer, "reference", reference.data, reference.size);
}

#endif
