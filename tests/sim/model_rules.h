/* Inside the model: one function a rule, each told a command and saying what it is to be answered
 * with. Those of accounts are what the others move money by. */
#ifndef SMSD_TESTS_SIM_MODEL_RULES_H
#define SMSD_TESTS_SIM_MODEL_RULES_H

#include "model.h"

/* --- model_account.c -----------------------------------------------------------------------------
 */

void model_open_account(struct model *model, int index, uint8_t currency, uint64_t number,
                        int64_t now_ms);
/* May an account that is asked to pay? */
enum outcome model_may_pay(const struct model_account *account, int64_t amount);
bool model_is_in_range(int64_t balance);
/* One line of an account's history. `entry` has all but what follows from the account. */
uint32_t model_append(struct model *model, int index, struct model_entry entry, int64_t now_ms);
/* Between a user and a system account: false if either would leave its range. */
bool model_move(struct model *model, int index, enum model_system system, struct model_entry entry,
                int64_t now_ms, uint32_t *made);

enum outcome rule_create(struct model *model, const struct command *command,
                         struct expected *expected);
enum outcome rule_update(struct model *model, const struct command *command,
                         struct expected *expected);

/* --- model_billing.c -----------------------------------------------------------------------------
 */

enum outcome rule_take(struct model *model, const struct command *command, enum model_system system,
                       enum entry_type type, struct expected *expected);
enum outcome rule_topup(struct model *model, const struct command *command,
                        struct expected *expected);
enum outcome rule_transfer(struct model *model, const struct command *command,
                           struct expected *expected);
enum outcome rule_refund(struct model *model, const struct command *command,
                         struct expected *expected);
enum outcome rule_queue(struct model *model, const struct command *command,
                        struct expected *expected);
enum outcome rule_drain(struct model *model, const struct command *command,
                        struct expected *expected);
enum outcome rule_hold(struct model *model, const struct command *command,
                       struct expected *expected);
enum outcome rule_capture(struct model *model, const struct command *command,
                          struct expected *expected);
enum outcome rule_let_go(struct model *model, const struct command *command,
                         enum hold_status status, struct expected *expected);

/* --- model_packet.c ------------------------------------------------------------------------------
 */

enum outcome rule_packet_send(struct model *model, const struct command *command,
                              struct expected *expected);
enum outcome rule_packet_grab(struct model *model, const struct command *command,
                              struct expected *expected);
enum outcome rule_packet_open(struct model *model, const struct command *command,
                              struct expected *expected);
enum outcome rule_packet_expire(struct model *model, const struct command *command,
                                struct expected *expected);
enum outcome rule_exception_retry(struct model *model, const struct command *command,
                                  struct expected *expected);
enum outcome rule_exception_close(struct model *model, const struct command *command,
                                  struct expected *expected);

/* --- model_campaign.c ----------------------------------------------------------------------------
 */

bool model_is_of_campaign(const struct command *command);
/* Counted from 1; 0: there is none. */
uint32_t model_campaign_place(const struct model *model, uint64_t number);
/* Before what follows for messages: what is set aside. */
void model_learn_campaigns(struct model *model, struct world *world, const struct command *command,
                           struct expected *expected);
/* One of a campaign is new (`from` 0), or has moved; `is_back`: what it cost went back. */
void model_campaign_message(struct model *model, struct model_message *message,
                            enum message_status from, bool is_back);
/* After what follows for messages. */
void model_check_campaigns(struct model *model, struct world *world, const struct command *command,
                           uint32_t messages_before);

/* --- model_received.c ----------------------------------------------------------------------------
 */

struct world;
/* As model_learn. */
void model_learn_received(struct model *model, struct world *world, const struct command *command,
                          const struct result *result);

#endif
