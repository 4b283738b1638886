/* What the billing handlers share: fields of bodies, and how accounts and entries are written. */
#ifndef SMSD_API_BILLING_H
#define SMSD_API_BILLING_H

#include "api/call.h"
#include "engine/ledger.h"

/* Rows of declarations of bodies: `type` is the struct that is filled. */
#define ACCOUNT_FIELD(type, member)                                                                \
    {                                                                                              \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(type, member), .is_required = true, \
        .min = 1, .max = ACCOUNT_ID_MAX, .check = account_id_is_valid, .rule = ID_RULE             \
    }
#define AMOUNT_FIELD(type, required)                                                               \
    {                                                                                              \
        .name = "amount", .kind = JSON_INT, .offset = offsetof(type, amount),                      \
        .is_required = (required), .min = 1, .max = AMOUNT_MAX                                     \
    }
#define REFERENCE_FIELD(type)                                                                      \
    {                                                                                              \
        .name = "reference", .kind = JSON_TEXT, .offset = offsetof(type, reference),               \
        .is_nullable = true, .min = 1, .max = REFERENCE_MAX                                        \
    }

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
    enum source_type source_type;
    uint64_t source;
};
void write_entry(struct json_writer *writer, const struct entry_view *entry);

/* The account of that number: for answers about things that name their account by it. False: it is
 * gone, which cannot be. */
bool call_account(struct call *call, uint64_t number, struct account *account);

#endif
