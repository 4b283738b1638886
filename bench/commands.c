/* What a command costs the engine: time and instructions of each kind over the store in memory, and
 * the share of the hash chain. No HTTP, no journal: what is left is what one more feature adds.
 *
 *     make bench-commands
 *
 * Times are of this machine at this moment. Instructions hold still; they are callgrind's, so the
 * program runs itself under valgrind, a kind at a time, and counts what lies inside of measured().
 * Valgrind has no SHA instructions: the chain's own instructions, counted apart, are those of the
 * definition, and its time, taken without valgrind by linking chain_step out of the way
 * (--wrap), is that of the processor's. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/id.h"
#include "engine/catalog.h"
#include "engine/chain.h"
#include "engine/due.h"
#include "engine/engine.h"
#include "engine/message.h"
#include "engine/route.h"
#include "engine/template.h"
#include "store/store.h"
#include "store/txn.h"

enum {
    TIMED_ACCOUNTS = 100000,
    TIMED = 200000, /* commands of a kind */
    /* The same under valgrind. */
    COUNTED_ACCOUNTS = 2000,
    COUNTED = 10000,
    COMMANDS_PER_BATCH = 64,
    DRAIN_MAX = 10000,
    QUEUED_PER_ACCOUNT = 100,
    REFUSED_AMOUNT = 1 << 30,
    PURSE = 1 << 29, /* what an account begins with */
};

static struct {
    struct store *store;
    uint64_t number_last, random;
    int64_t now_ms;
    uint64_t *made; /* numbers that the kind works on */
    uint32_t made_count, accounts;
    uint64_t product;
    char id[16];
} bench = {.random = 88172645463325252, .now_ms = ID_EPOCH_MS + 1000};

static bool is_chained = true;

uint64_t __real_chain_step(struct chain *chain, uint64_t number, const struct entry_row *row,
                           const char *reference);
uint64_t __wrap_chain_step(struct chain *chain, uint64_t number, const struct entry_row *row,
                           const char *reference);
enum outcome measured(struct txn *txn, const struct command *command, struct result *result,
                      struct engine_effect *effect);

uint64_t __wrap_chain_step(struct chain *chain, uint64_t number, const struct entry_row *row,
                           const char *reference)
{
    return is_chained ? __real_chain_step(chain, number, row, reference) : number;
}

/* The name that callgrind looks for. */
__attribute__((noinline, noipa)) enum outcome measured(struct txn *txn,
                                                       const struct command *command,
                                                       struct result *result,
                                                       struct engine_effect *effect)
{
    engine_apply(txn, command, result, effect);
    return result->outcome;
}

static uint64_t draw(void)
{
    bench.random ^= bench.random << 13;
    bench.random ^= bench.random >> 7;
    bench.random ^= bench.random << 17;
    return bench.random;
}

static struct text id_of(uint32_t account)
{
    int size = snprintf(bench.id, sizeof bench.id, "user%08u", account % bench.accounts);

    return (struct text){bench.id, (size_t)size};
}

/* As the pipeline does it, but for the journal. Returns the number of what was made. */
static uint64_t run(struct command *command, enum outcome wanted)
{
    static unsigned in_batch;
    struct txn *txn = store_begin(bench.store);
    struct engine_effect effect;
    struct result result;

    command->number = id_next(bench.number_last, bench.now_ms);
    command->now_ms = bench.now_ms;
    if (measured(txn, command, &result, &effect) != wanted) {
        fprintf(stderr, "a command was answered %s\n", outcome_infos[result.outcome].code);
        exit(1);
    }
    bench.number_last = effect.number_last;
    store_commit(txn);
    if (++in_batch % COMMANDS_PER_BATCH == 0)
        store_submit(bench.store);
    return result.number;
}

/* --- the kinds -----------------------------------------------------------------------------------
 */

static struct money_command money(uint32_t account, int64_t amount)
{
    return (struct money_command){id_of(account), amount, TEXT("order 123456")};
}

static uint64_t do_topup(uint32_t i)
{
    struct command command = {.type = COMMAND_TOPUP};

    (void)i;
    command.of.topup = money((uint32_t)draw(), 5);
    return run(&command, OUTCOME_OK);
}

static uint64_t do_charge(uint32_t i)
{
    struct command command = {.type = COMMAND_CHARGE};

    (void)i;
    command.of.charge = money((uint32_t)draw(), 5);
    return run(&command, OUTCOME_OK);
}

static uint64_t do_keyed_charge(uint32_t i)
{
    struct command command = {
        .type = COMMAND_CHARGE, .has_key = true, .key = {i, 7}, .fingerprint = i};

    command.of.charge = money(i, 5);
    return run(&command, OUTCOME_OK);
}

static uint64_t do_refusal(uint32_t i)
{
    struct command command = {.type = COMMAND_CHARGE};

    (void)i;
    command.of.charge = money((uint32_t)draw(), REFUSED_AMOUNT);
    return run(&command, OUTCOME_INSUFFICIENT_FUNDS);
}

static uint64_t do_queue(uint32_t i)
{
    struct command command = {.type = COMMAND_CHARGE_QUEUE};
    struct money_command asked = money(i / QUEUED_PER_ACCOUNT, 5);

    command.of.charge_queue =
        (struct charge_queue_command){asked.account, asked.amount, asked.reference, 100, DRAIN_MAX};
    return run(&command, OUTCOME_OK);
}

/* One of these is QUEUED_PER_ACCOUNT charges. */
static uint64_t do_drain(uint32_t i)
{
    struct command command;
    struct txn *txn = store_begin(bench.store);
    static struct due due; /* where the one before was */
    bool is_there = due_first(txn, &due, INT64_MAX, &due);

    (void)i;
    store_abort(txn);
    assert(is_there);
    due_command(&due, &command);
    return run(&command, OUTCOME_OK);
}

static uint64_t do_refund(uint32_t i)
{
    struct command command = {.type = COMMAND_REFUND,
                              .of.refund = {.charge = bench.made[i % bench.made_count]}};

    return run(&command, OUTCOME_OK);
}

static uint64_t do_transfer(uint32_t i)
{
    struct command command = {.type = COMMAND_TRANSFER};
    char from[sizeof bench.id];
    uint32_t account = (uint32_t)draw();
    struct text id = id_of(account);

    (void)i;
    memcpy(from, id.data, id.size);
    command.of.transfer =
        (struct transfer_command){{from, id.size}, id_of(account + 1), 5, TEXT("order 123456")};
    return run(&command, OUTCOME_OK);
}

static uint64_t do_hold(uint32_t i)
{
    struct command command = {.type = COMMAND_HOLD_CREATE};

    (void)i;
    command.of.hold_create = (struct hold_create_command){id_of((uint32_t)draw()), 5, 3600000};
    return run(&command, OUTCOME_OK);
}

static uint64_t do_capture(uint32_t i)
{
    struct command command = {.type = COMMAND_HOLD_CAPTURE,
                              .of.hold_capture = {.hold = bench.made[i]}};

    return run(&command, OUTCOME_OK);
}

/* --- messages ------------------------------------------------------------------------------------
 */

static void put_thing(struct text id, const struct catalog_draft *draft)
{
    struct command command = {.type = COMMAND_CATALOG_PUT};

    command.of.catalog_put = (struct catalog_put_command){.id = id, .draft = draft};
    run(&command, OUTCOME_OK);
}

static void put_product_and_routes(void)
{
    static struct catalog_draft draft;

    catalog_draft_init(&draft, CATALOG_PRODUCT);
    catalog_draft_text(&draft, PRODUCT_CHANNEL, TEXT("channel"));
    catalog_draft_text(&draft, PRODUCT_GATEWAY, TEXT("{\"type\":\"sandbox\"}"));
    catalog_draft_int(&draft, PRODUCT_PRICE, 5);
    put_thing(TEXT("product"), &draft);
    for (int kind = ROUTE_KIND_VERIFICATION; kind <= ROUTE_KIND_GENERAL; kind++) {
        catalog_draft_init(&draft, CATALOG_ROUTE);
        catalog_draft_text(&draft, ROUTE_COMPANY, TEXT("company"));
        catalog_draft_text(&draft, ROUTE_COUNTRY, TEXT("CN"));
        catalog_draft_int(&draft, ROUTE_KIND, kind);
        catalog_draft_text(&draft, ROUTE_PRODUCT, TEXT("product"));
        put_thing(kind == ROUTE_KIND_VERIFICATION ? TEXT("codes") : TEXT("others"), &draft);
    }
}

static void put_catalogue(void)
{
    static struct catalog_draft draft;
    const int64_t length = 11;

    catalog_draft_init(&draft, CATALOG_COUNTRY);
    catalog_draft_text(&draft, COUNTRY_NAME, TEXT("China"));
    catalog_draft_int(&draft, COUNTRY_CALLING_CODE, 86);
    catalog_draft_ints(&draft, COUNTRY_NUMBER_LENGTHS, &length, 1);
    put_thing(TEXT("CN"), &draft);
    catalog_draft_init(&draft, CATALOG_COMPANY);
    catalog_draft_text(&draft, COMPANY_NAME, TEXT("Company"));
    catalog_draft_text(&draft, COMPANY_ACCOUNT, TEXT("user00000000"));
    put_thing(TEXT("company"), &draft);
    catalog_draft_init(&draft, CATALOG_CHANNEL);
    catalog_draft_text(&draft, CHANNEL_NAME, TEXT("Channel"));
    put_thing(TEXT("channel"), &draft);
    catalog_draft_init(&draft, CATALOG_TEMPLATE);
    catalog_draft_text(&draft, TEMPLATE_CONTENT,
                       TEXT("Your verification code is {code}. Tell it nobody."));
    catalog_draft_int(&draft, TEMPLATE_KIND, MESSAGE_KIND_VERIFICATION);
    put_thing(TEXT("code"), &draft);
    put_product_and_routes();
}

static uint64_t do_submit(uint32_t i)
{
    const struct template_param code = {TEXT("code"), TEXT("471100")};
    struct command command = {.type = COMMAND_MESSAGE_SUBMIT};
    char to[32];
    int size = snprintf(to, sizeof to, "+86138%08u", (unsigned)(draw() % 100000000));

    (void)i;
    command.of.message_submit = (struct message_submit_command){.company = TEXT("company"),
                                                                .to = {to, (size_t)size},
                                                                .template = TEXT("code"),
                                                                .params = &code,
                                                                .param_count = 1,
                                                                .tries_max = 2};
    return run(&command, OUTCOME_OK);
}

static uint64_t give(uint64_t message)
{
    struct command command = {.type = COMMAND_MESSAGE_SENDING};
    struct txn *txn = store_begin(bench.store);
    struct message_row row;
    bool is_there = message_find(txn, message, &row);

    store_abort(txn);
    assert(is_there);
    command.of.message_sending = (struct message_sending_command){message, row.product};
    bench.product = row.product;
    run(&command, OUTCOME_OK);
    return message;
}

static struct text provider_id(uint64_t message, char to[32])
{
    return (struct text){to, (size_t)snprintf(to, 32, "%016llX", (unsigned long long)message)};
}

static uint64_t accept(uint64_t message)
{
    struct command command = {.type = COMMAND_MESSAGE_RESULT};
    char bytes[32];
    struct text id = provider_id(message, bytes);

    command.of.message_result = (struct message_result_command){.message = message,
                                                                .attempt = 1,
                                                                .answer = MESSAGE_ACCEPTED,
                                                                .provider_ids = &id,
                                                                .provider_id_count = 1};
    run(&command, OUTCOME_OK);
    return message;
}

static uint64_t make_given(uint32_t i)
{
    return give(do_submit(i));
}

static uint64_t make_accepted(uint32_t i)
{
    return accept(make_given(i));
}

static uint64_t do_give(uint32_t i)
{
    return give(bench.made[i]);
}

static uint64_t do_accept(uint32_t i)
{
    return accept(bench.made[i]);
}

static uint64_t do_receipt(uint32_t i)
{
    struct command command = {.type = COMMAND_RECEIPT};
    char bytes[32];

    command.of.receipt = (struct receipt_command){.product = bench.product,
                                                  .provider_id = provider_id(bench.made[i], bytes),
                                                  .status = RECEIPT_DELIVERED};
    return run(&command, OUTCOME_OK);
}

static const struct kind {
    const char *name;
    uint64_t (*run)(uint32_t i);
    uint64_t (*make)(uint32_t i); /* what it works on, one each */
    uint32_t share;               /* of these are one of the row's */
} kinds[] = {
    {"charge now", do_charge, NULL, 1},
    {"charge now, under a key", do_keyed_charge, NULL, 1},
    {"the same key again", do_keyed_charge, do_keyed_charge, 1},
    {"refused: insufficient funds", do_refusal, NULL, 1},
    {"charge queued", do_queue, NULL, 1},
    {"its share of a drain of 100", do_drain, do_queue, QUEUED_PER_ACCOUNT},
    {"top-up", do_topup, NULL, 1},
    {"transfer", do_transfer, NULL, 1},
    {"hold", do_hold, NULL, 1},
    {"capture", do_capture, do_hold, 1},
    {"refund", do_refund, do_charge, 1},
    {"message: submit", do_submit, NULL, 1},
    {"message: sending", do_give, do_submit, 1},
    {"message: result", do_accept, make_given, 1},
    {"message: receipt", do_receipt, make_accepted, 1},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* --- measuring -----------------------------------------------------------------------------------
 */

static void open_store(void)
{
    struct store_options options = {.overlay_bytes_max = (size_t)1 << 30};
    struct command command = {.type = COMMAND_BOOTSTRAP};
    struct buffer why;
    int error;

    buffer_init(&why);
    error = store_open(&bench.store, &options, &why);
    assert(error == 0);
    run(&command, OUTCOME_OK);
    for (uint32_t i = 0; i < bench.accounts; i++) {
        command = (struct command){.type = COMMAND_TOPUP};
        command.of.topup = money(i, PURSE);
        run(&command, OUTCOME_OK);
    }
    put_catalogue();
    buffer_release(&why);
}

/* Everything up to the first command of the kind. */
static void prepare(const struct kind *kind, uint32_t accounts, uint32_t count)
{
    bench.accounts = accounts;
    open_store();
    bench.made = calloc(count, sizeof *bench.made);
    assert(bench.made != NULL);
    bench.made_count = count;
    for (uint32_t i = 0; i < count && kind->make != NULL; i++)
        bench.made[i] = kind->make(i);
    bench.now_ms += 1000;
}

static double microseconds(const struct kind *kind, bool with_chain)
{
    struct timespec begun, ended;
    uint32_t count = TIMED / kind->share;

    is_chained = with_chain;
    prepare(kind, TIMED_ACCOUNTS, TIMED);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
    for (uint32_t i = 0; i < count; i++)
        kind->run(i);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
    store_close(bench.store, false);
    free(bench.made);
    return ((double)(ended.tv_sec - begun.tv_sec) * 1e6 +
            (double)(ended.tv_nsec - begun.tv_nsec) / 1e3) /
           TIMED;
}

/* Under valgrind: COUNTED of them and nothing else inside of measured(). The preparation is inside
 * of it too, and is what a run of none costs. */
static void run_counted(int kind, uint32_t count)
{
    prepare(&kinds[kind], COUNTED_ACCOUNTS, COUNTED);
    for (uint32_t i = 0; i < count / kinds[kind].share; i++)
        kinds[kind].run(i);
    store_close(bench.store, false);
    free(bench.made);
}

static double collected(const char *program, int kind, uint32_t count, const char *function)
{
    char command[512], line[512];
    double instructions = -1;
    FILE *output;
    int size =
        snprintf(command, sizeof command,
                 "valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no "
                 "--toggle-collect=%s %s --run %d %u 2>&1",
                 function, program, kind, count);

    /* The command is made of this program's own name and numbers. NOLINTNEXTLINE(cert-env33-c) */
    if (size >= (int)sizeof command || (output = popen(command, "r")) == NULL)
        return instructions;
    while (fgets(line, sizeof line, output) != NULL) {
        const char *found = strstr(line, "Collected : ");
        if (found != NULL)
            instructions = strtod(found + strlen("Collected : "), NULL);
    }
    return pclose(output) == 0 ? instructions : -1;
}

static double instructions(const char *program, int kind, const char *function)
{
    double all = collected(program, kind, COUNTED, function);
    double prepared = collected(program, kind, 0, function);

    return all < 0 || prepared < 0 ? -1 : (all - prepared) / COUNTED;
}

static void print_table(const char *program)
{
    printf("| command | µs | without the chain | instructions | of these the chain |\n"
           "| --- | ---: | ---: | ---: | ---: |\n");
    for (int kind = 0; kind < KINDS; kind++) {
        double with = microseconds(&kinds[kind], true), without = microseconds(&kinds[kind], false);
        double all = instructions(program, kind, "measured");
        double chain = instructions(program, kind, "chain_step");
        printf("| %s | %.2f | %.2f | %.0f | %.0f |\n", kinds[kind].name, with, without, all, chain);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--run") == 0)
        run_counted((int)strtol(argv[2], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10));
    else
        print_table(argv[0]);
    return 0;
}
