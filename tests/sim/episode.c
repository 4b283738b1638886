/* Running a plan: each op's command in the engine and in the model, then both compared. As the
 * pipeline does it, a command is a transaction; a group is one for several, kept only if none was
 * refused. Time only ever goes on. */
#include "episode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/id.h"
#include "engine/due.h"
#include "engine/message.h"
#include "engine/packet.h"
#include "wrong.h"

static bool is_traced(const struct episode *episode)
{
    return episode->at >= episode->traced_from;
}

static void begin(struct episode *episode)
{
    world_begin(&episode->world);
    if (episode->mirror != NULL)
        mirror_begin(episode->mirror);
}

static void commit(struct episode *episode)
{
    world_commit(&episode->world, ++where->commits);
    if (episode->mirror != NULL)
        mirror_commit(episode->mirror, episode);
}

/* What is in memory beside the rows is not rolled back with them, so such commands never are. */
static bool changes_memory(const struct command *command)
{
    return command->type == COMMAND_SIGNALS || command->type == COMMAND_CITY_PUT;
}

/* Rolled back it leaves no trace, and the second time it answers as the first. */
static void try(struct episode *episode, struct command *command, struct result *tried)
{
    const struct change *trace;

    if (is_traced(episode))
        trace_words("(taken back) ");
    trace = world_try(&episode->world, command, tried);
    if (trace != NULL)
        wrong("%s: rolled back, a row of %s is not as it was",
              op_texts[episode->plan->ops[episode->at].type], table_infos[trace->table].name);
}

static struct result run(struct episode *episode, struct command *command, bool is_tried)
{
    struct expected expected;
    struct engine_effect effect;
    struct result result, tried;

    is_tried = is_tried && !changes_memory(command);
    where->steps++;
    if (is_traced(episode))
        trace_command(episode, command);
    if (is_tried)
        try(episode, command, &tried);
    world_run(&episode->world, command, &result, &effect);
    if (is_traced(episode))
        trace_outcome(&result);
    must(!is_tried || memcmp(&tried, &result, sizeof result) == 0);
    model_run(episode->model, command, &expected);
    if (expected.is_open) {
        expected.outcome = result.outcome;
        model_learn(episode->model, &episode->world, command, &result, &expected);
    }
    compare_command(episode->model, &episode->tally, &episode->world, command, &expected, &result,
                    &effect);
    cities_follow(&episode->cities, episode->world.txn, command, &result, &effect);
    episode->is_refused = episode->is_refused || result.outcome != OUTCOME_OK;
    if (episode->mirror != NULL)
        mirror_run(episode->mirror, command, &result, &effect, is_tried);
    return result;
}

struct result episode_run_alone(struct episode *episode, struct command *command, bool is_tried)
{
    struct result result;

    begin(episode);
    result = run(episode, command, is_tried);
    commit(episode);
    return result;
}

/* --- what is due ---------------------------------------------------------------------------------
 */

static bool run_one_due(struct episode *episode)
{
    struct model_due wanted;
    struct command command;
    struct due found;
    bool is_there = model_due_first(episode->model, &wanted);

    begin(episode);
    must(due_first(episode->world.txn, &(struct due){0}, INT64_MAX, &found) == is_there);
    if (is_there) {
        must(found.due_ms == wanted.due_ms && (int)found.kind == wanted.kind);
        must(found.number == wanted.number);
    }
    if (is_there && found.due_ms <= episode->world.now_ms) {
        due_command(&found, &command);
        run(episode, &command, false);
        commit(episode);
        return true;
    }
    world_abort(&episode->world);
    if (episode->mirror != NULL)
        mirror_abort(episode->mirror);
    return false;
}

/* --- groups --------------------------------------------------------------------------------------
 */

/* May it be one of several that are kept all or not at all? */
static bool is_for_groups(const struct op *op)
{
    return op->type != OP_DUE && op->type != OP_ATOMIC && op->type != OP_SWEEP &&
           op->type != OP_CLOCK && op->type != OP_LOOK && op->type != OP_PACKET_SWEEP &&
           op->type != OP_MESSAGE_SWEEP && op->type != OP_CITY_BUILD && op->type != OP_CITY_LOAD &&
           op->type != OP_ARCHIVE && op->type != OP_HISTORY_DROP && op->type != OP_CITY_IMAGE;
}

static void run_op_in_group(struct episode *episode, const struct op *op)
{
    struct command command;

    if (op_command(episode, op, &command) && !changes_memory(&command))
        run(episode, &command, op->is_tried);
}

static void take_back_group(struct episode *episode)
{
    struct model *model = episode->model;

    world_abort(&episode->world);
    if (episode->mirror != NULL)
        mirror_abort(episode->mirror);
    episode->model = episode->model_before;
    episode->model_before = model;
    episode->tally = episode->tally_before;
    world_begin(&episode->world);
    must(changes_find_trace(episode->world.txn, &episode->world.group_changes, (enum table)0) ==
         NULL);
    world_abort(&episode->world);
}

/* BILL-10: all or nothing. Returns how many ops of the plan it took. */
static uint32_t run_group(struct episode *episode, const struct op *op)
{
    uint32_t count = 2 + op->number % 7, taken = 0;

    if (is_traced(episode))
        trace_words("atomic {\n");
    model_copy(episode->model_before, episode->model);
    episode->tally_before = episode->tally;
    episode->world.group_changes.count = 0;
    episode->world.group_changes.values.size = 0;
    episode->world.is_in_group = true;
    episode->is_refused = false;
    begin(episode);
    while (taken < count && episode->at + 1 < episode->plan->count &&
           is_for_groups(&episode->plan->ops[episode->at + 1])) {
        where->op = ++episode->at;
        taken++;
        run_op_in_group(episode, &episode->plan->ops[episode->at]);
    }
    episode->world.is_in_group = false;
    if (is_traced(episode))
        trace_words(episode->is_refused ? "} taken back\n" : "}\n");
    if (episode->is_refused)
        take_back_group(episode);
    else
        commit(episode);
    return taken;
}

/* --- what is lost --------------------------------------------------------------------------------
 */

/* PKT-10: the due index has lost the packet's row; nothing but the sweep brings it back. */
static void lose_due(struct episode *episode, const struct model_packet *packet)
{
    struct txn *txn = episode->world.txn;
    char key[17];

    bytes_put_u64_be(key, (uint64_t)packet->due_ms);
    key[8] = DUE_PACKET_EXPIRY;
    bytes_put_u64_be(key + 9, packet->number);
    must(txn_delete(txn, TABLE_DUE, key, sizeof key));
    episode->tally.rows[TABLE_DUE]--;
    episode->tally.sums.due_rows--;
    must(packet_is_forgotten(txn, packet->number, episode->world.now_ms) ==
         (packet->due_ms <= episode->world.now_ms));
}

/* SMS-10: a message has lost its place in the outbox, or its row in the due index. */
static void lose_message(struct episode *episode, const struct op *op, uint64_t number)
{
    struct txn *txn = episode->world.txn;
    struct message_row row;
    char key[25];

    if (!message_find(txn, number, &row) || row.due_ms == 0)
        return;
    if (op->number % 2 == 0 && row.outbox_ms != 0) {
        bytes_put_u64_be(key, row.product);
        key[8] = (char)row.kind;
        bytes_put_u64_be(key + 9, (uint64_t)row.outbox_ms);
        bytes_put_u64_be(key + 17, number);
        must(txn_delete(txn, TABLE_OUTBOX, key, 25));
        episode->tally.rows[TABLE_OUTBOX]--;
        episode->tally.message_sums.outbox_rows--;
    } else {
        bytes_put_u64_be(key, (uint64_t)row.due_ms);
        key[8] = DUE_MESSAGE;
        bytes_put_u64_be(key + 9, number);
        must(txn_delete(txn, TABLE_DUE, key, 17));
        model_lose_due(episode->model, &(struct model_due){row.due_ms, DUE_MESSAGE, number});
        episode->tally.rows[TABLE_DUE]--;
        episode->tally.message_sums.due_rows--;
    }
    must(message_is_forgotten(txn, number));
}

/* On disk nothing is lost: what the sweep answers would differ. */
static void sweep_message(struct episode *episode, const struct op *op, struct command *command)
{
    begin(episode);
    if (episode->mirror == NULL && op->number / 2 % 2 == 0)
        lose_message(episode, op, command->of.message_sweep.message);
    run(episode, command, false);
    commit(episode);
}

static void sweep_packet(struct episode *episode, const struct op *op, struct command *command)
{
    const struct model_packet *packet =
        model_find_packet(episode->model, command->of.packet_sweep.packet);

    begin(episode);
    if (op->number % 2 == 0 && packet != NULL && packet->due_ms != 0)
        lose_due(episode, packet);
    run(episode, command, false);
    commit(episode);
}

/* --- reads ---------------------------------------------------------------------------------------
 */

/* Around an entry of some account's, or any time up to now. */
static int64_t moment_of(const struct episode *episode, const struct op *op)
{
    const struct model *model = episode->model;

    if (op->number % 2 == 0 || model->entries == 0)
        return episode->world.now_ms - op->pick % 4000000;
    return id_time_ms(model->entry[op->pick % model->entries].number) - op->number % 4 / 2;
}

static void look(struct episode *episode, const struct op *op)
{
    struct model *model = episode->model;

    world_begin(&episode->world);
    compare_charge(episode->world.txn, model, op_number_of_another(episode, op));
    if (model->charges > 0)
        compare_charge(episode->world.txn, model, model->charge[op->pick % model->charges].number);
    compare_moment(episode->world.txn, model, op->account, moment_of(episode, op));
    compare_moment(episode->world.txn, model, op->account, episode->world.now_ms);
    if (model->packets > 0)
        compare_packet_read(episode->world.txn, model, (int)(op->pick % model->packets),
                            episode->world.now_ms);
    if (model->products > 0)
        compare_outbox(episode->world.txn, model,
                       model->product[op->number % model->products].number,
                       (enum message_kind)(1 + op->pick % 3));
    if (model->messages > 0)
        archive_read(&episode->archive, episode->world.txn,
                     model->message[op->pick % model->messages].number);
    compare_cities(model, &episode->cities, episode->world.txn, episode->world.now_ms);
    world_abort(&episode->world);
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static void run_op(struct episode *episode, const struct op *op)
{
    struct command command;

    switch ((enum op_type)op->type) {
    case OP_DUE:
        for (uint32_t i = op->number % 16; run_one_due(episode) && i > 0; i--)
            continue;
        break;
    case OP_ATOMIC:
        run_group(episode, op);
        break;
    case OP_LOOK:
        look(episode, op);
        break;
    case OP_ARCHIVE:
        op_archive(episode, op);
        break;
    case OP_HISTORY_DROP:
        op_history_drop(episode);
        break;
    case OP_CITY_BUILD:
        cities_build(&episode->cities, &episode->world, op->pick, op->number % MODEL_MOBILES);
        break;
    case OP_CITY_IMAGE:
        op_city_image(episode, op);
        break;
    case OP_CITY_LOAD:
        op_city_load(episode, op);
        break;
    default:
        if (!op_command(episode, op, &command))
            break;
        if (op->type == OP_PACKET_SWEEP) {
            sweep_packet(episode, op, &command);
            break;
        }
        if (op->type == OP_MESSAGE_SWEEP) {
            sweep_message(episode, op, &command);
            break;
        }
        episode_run_alone(episode, &command, op->is_tried);
        break;
    }
}

static void compare_everything(struct episode *episode)
{
    world_begin(&episode->world);
    compare_all(episode->model, &episode->tally, &episode->world, &episode->archive);
    invariant_all(&episode->tally.sums, &episode->world);
    invariant_message_all(&episode->tally.message_sums, &episode->world);
    compare_cities(episode->model, &episode->cities, episode->world.txn, episode->world.now_ms);
    invariant_report_all(&episode->tally.reports, &episode->world, &episode->archive);
    compare_archive(episode->model, &episode->archive, episode->world.txn);
    world_abort(&episode->world);
}

static void bootstrap(struct episode *episode)
{
    struct command command = {.type = COMMAND_BOOTSTRAP, .of.bootstrap.secret = WORLD_SECRET};

    model_init(episode->model, episode->plan->drain_max);
    tally_init(&episode->tally);
    episode_run_alone(episode, &command, true);
}

static void setup_catalog(struct episode *episode)
{
    uint32_t number = episode->plan->catalog_number;
    struct command command;

    for (uint8_t i = 0; i < 2; i++) {
        command = (struct command){.type = COMMAND_TOPUP};
        command.of.topup =
            (struct money_command){.account = op_account_id(i), .amount = 1 + number % 3000};
        episode_run_alone(episode, &command, false);
    }
    for (uint32_t i = 0; op_catalog_setup(i, number + i * 7919, &command); i++)
        episode_run_alone(episode, &command, false);
}

void episode_run(const struct plan *plan, struct mirror *mirror, uint32_t traced_from)
{
    static struct episode episode;
    static struct model models[2];

    episode.plan = plan;
    episode.model = &models[0];
    episode.model_before = &models[1];
    episode.mirror = mirror;
    episode.traced_from = traced_from;
    episode.at = 0;
    where->commits = 0;
    world_open(&episode.world);
    cities_init(&episode.cities);
    archive_init(&episode.archive);
    images_init(&episode.images);
    watch(&episode.world);
    bootstrap(&episode);
    if (plan->has_messages)
        setup_catalog(&episode);
    for (episode.at = 0; episode.at < plan->count; episode.at++) {
        const struct op *op = &plan->ops[episode.at];
        where->op = episode.at;
        episode.world.now_ms += op->waits_ms;
        run_op(&episode, op);
        if (episode.at % COMPARE_ALL_EVERY == COMPARE_ALL_EVERY - 1)
            compare_everything(&episode);
    }
    compare_everything(&episode);
    if (mirror != NULL)
        mirror_end(mirror, &episode);
    watch(NULL);
    cities_release(&episode.cities);
    archive_release(&episode.archive);
    images_release(&episode.images);
    world_close(&episode.world);
}
