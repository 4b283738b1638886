/* What a city sends to who is new in it: a template of a company, and the template's parameters
 * (CITY-5). Parameters are fixed, but for {city}, which is the city's name wherever the template
 * has it and the city gives no other. */
#ifndef SMSD_ENGINE_CITY_MESSAGE_H
#define SMSD_ENGINE_CITY_MESSAGE_H

#include "engine/command.h"
#include "engine/message_plan.h"
#include "engine/template.h"

struct engine;
struct txn;

/* A copy, to which the texts point. */
struct city_message {
    struct text company, template;
    struct template_param params[TEMPLATE_NAMES_MAX + 1]; /* room for {city} */
    size_t param_count;
    char bytes[COMPANY_ID_MAX + TEMPLATE_ID_MAX + CITY_PARAMS_BYTES_MAX];
};

/* False: it sends nothing. */
bool city_message_find(struct txn *txn, uint32_t city, struct city_message *message);
/* Adds {city} if the template, as it is now, asks for it. */
void city_message_complete(struct txn *txn, struct city_message *message, struct text city_name);

/* What is wrong with what a CITY_PUT says of its message, everything at once: whom it refers to
 * must be there and allowed, the parameters must be the template's. A PUT with any is refused, with
 * the outcome that they share or else OUTCOME_INVALID. Returns how many. */
size_t city_message_check(struct txn *txn, const struct city_put_command *command,
                          struct message_fault faults[MESSAGE_FAULTS_MAX]);
enum outcome city_message_outcome(const struct message_fault *faults, size_t count);

/* In handlers: as the command says, which has no faults. */
void city_message_store(struct engine *engine, uint32_t city,
                        const struct city_put_command *command);

#endif
