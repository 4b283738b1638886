/* Wires the rooms together: options, log, store and pipeline, jobs, contract, server, in that
 * order, and takes them down in the opposite one. `smsd verify` reads a data directory and serves
 * nothing. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "api/api.h"
#include "api/api_key_secret.h"
#include "base/buffer.h"
#include "base/entropy.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "engine/audit.h"
#include "gateway/gateway.h"
#include "gateway/webhook_sender.h"
#include "http/server.h"
#include "jobs/jobs.h"
#include "net/tls.h"
#include "pipeline/pipeline.h"
#include "store/store.h"

#define VERSION "0.1.0"
#define DAY_MS  INT64_C(86400000)

enum { EXIT_USAGE = 2 };

struct smsd {
    struct config config;
    uv_loop_t loop;
    struct pipeline *pipeline;
    struct gateways *gateways;
    struct jobs *jobs;
    struct api *api;
    struct http_server *server;
    struct webhook_sender *webhook_sender;
    uv_signal_t signals[3];
    struct buffer address; /* the first one listened on */
    int running;           /* of server and gateways: what stopping waits for */
    bool is_tls;
    bool is_stopping;
};

/* --- taking down ---------------------------------------------------------------------------------
 */

static void on_stopped(void *context)
{
    struct smsd *smsd = context;

    if (--smsd->running > 0)
        return;
    for (size_t i = 0; i < sizeof smsd->signals / sizeof *smsd->signals; i++)
        uv_close((uv_handle_t *)&smsd->signals[i], NULL);
    if (smsd->jobs != NULL)
        jobs_stop(smsd->jobs);
    if (smsd->gateways != NULL)
        gateways_close(smsd->gateways);
    if (smsd->webhook_sender != NULL)
        webhook_sender_stop(smsd->webhook_sender);
    if (smsd->pipeline != NULL)
        pipeline_close(smsd->pipeline);
    log_event(LOG_INFO, "stopped", LOG_NUMBER("pid", getpid()));
}

/* Runs the loop to its end and frees what was built, be it all or, after a failed start, a part. */
static void take_down(struct smsd *smsd)
{
    int error;

    uv_run(&smsd->loop, UV_RUN_DEFAULT);
    if (smsd->server != NULL)
        http_server_free(smsd->server);
    if (smsd->api != NULL)
        api_free(smsd->api);
    jobs_free(smsd->jobs);
    if (smsd->gateways != NULL)
        gateways_free(smsd->gateways);
    if (smsd->webhook_sender != NULL)
        webhook_sender_free(smsd->webhook_sender);
    if (smsd->pipeline != NULL)
        pipeline_free(smsd->pipeline);
    buffer_release(&smsd->address);
    error = uv_loop_close(&smsd->loop);
    assert(error == 0);
}

/* Clients' requests and providers' answers are waited for side by side. */
static void stop(struct smsd *smsd, uint32_t grace_ms)
{
    smsd->is_stopping = true;
    smsd->running = 1 + (smsd->server != NULL) + (smsd->gateways != NULL);
    if (smsd->server != NULL)
        http_server_stop(smsd->server, grace_ms, on_stopped, smsd);
    if (smsd->gateways != NULL)
        gateways_stop(smsd->gateways, grace_ms, on_stopped, smsd);
    on_stopped(smsd);
}

/* --- SIGHUP --------------------------------------------------------------------------------------
 */

static struct http_server_options server_options(const struct config *config)
{
    return (struct http_server_options){
        .connections_max = (uint32_t)config->connections_max,
        .header_bytes_max = (uint32_t)config->header_bytes_max,
        .header_timeout_ms = (uint32_t)config->header_timeout_ms,
        .body_timeout_ms = (uint32_t)config->body_timeout_ms,
        .idle_timeout_ms = (uint32_t)config->idle_timeout_ms,
        .write_timeout_ms = (uint32_t)config->write_timeout_ms,
        .reply_bytes_max = (uint32_t)config->reply_bytes_max,
        .input_bytes_max = (uint64_t)config->input_bytes_max,
    };
}

static struct api_options api_options(const struct config *config)
{
    return (struct api_options){
        .is_test_clock = config->test_clock,
        .body_bytes_max = (size_t)config->body_bytes_max,
        .batch_bytes_max = (size_t)config->batch_bytes_max,
        .campaigns_upload_bytes_max = (size_t)config->campaigns_upload_bytes_max,
        .campaigns_draft_ms = config->campaigns_draft_days * DAY_MS,
        .batches_max = (uint32_t)config->batches_max,
        .charges_drain_interval_ms = config->charges_drain_interval_ms,
        .charges_drain_max = (uint32_t)config->charges_drain_max,
        .packets_amount_max = config->packets_amount_max,
        .packets_shares_max = (uint32_t)config->packets_shares_max,
        .packets_grabs_per_minute = (uint32_t)config->packets_grabs_per_minute,
        .packets_open_max = (uint32_t)config->packets_open_max,
        .messages_tries_max = (uint8_t)config->messages_tries_max,
        .cities_memory_bytes_max = (uint64_t)config->cities_memory_bytes_max,
    };
}

static struct jobs_options jobs_options_of(const struct config *config)
{
    return (struct jobs_options){.archive_after_ms = config->archive_after_ms,
                                 .history_days = config->history_days};
}

/* The pair of files as it is now; the one before stays if it is of no use. */
static int load_certificate(struct smsd *smsd, struct buffer *why)
{
    struct tls *tls;
    int error = tls_server_new(&tls, smsd->config.tls_cert, smsd->config.tls_key, "http/1.1", why);

    if (error == 0)
        http_server_set_tls(smsd->server, tls);
    return error;
}

static void on_option_changed(void *context, const char *name, bool is_applied)
{
    (void)context;
    log_event(is_applied ? LOG_INFO : LOG_WARNING,
              is_applied ? "option_changed" : "option_needs_restart", LOG_TEXT("option", name));
}

static void log_refused(const char *event, struct buffer *why)
{
    buffer_append(why, "", 1);
    log_event(LOG_ERROR, event, LOG_TEXT("reason", why->data));
    why->size = 0;
}

static void reload_config(struct smsd *smsd, struct buffer *why)
{
    struct http_server_options server;
    struct jobs_options jobs;
    struct api_options api;

    if (config_reload(&smsd->config, why, on_option_changed, smsd) != 0) {
        log_refused("configuration_refused", why);
        return;
    }
    log_set_level(log_level_of(smsd->config.log_level));
    server = server_options(&smsd->config);
    http_server_set_options(smsd->server, &server);
    api = api_options(&smsd->config);
    api_set_options(smsd->api, &api);
    jobs = jobs_options_of(&smsd->config);
    jobs_set_options(smsd->jobs, &jobs);
    log_event(LOG_INFO, "configuration_read", LOG_TEXT("file", smsd->config.config));
}

static void reload(struct smsd *smsd)
{
    struct buffer why;
    int error = log_reopen();

    log_event(LOG_INFO, "log_reopened", LOG_NUMBER("error", error));
    if (smsd->server == NULL || smsd->is_stopping)
        return;
    buffer_init(&why);
    reload_config(smsd, &why);
    if (smsd->is_tls && load_certificate(smsd, &why) != 0)
        log_refused("certificate_refused", &why);
    else if (smsd->is_tls)
        log_event(LOG_INFO, "certificate_loaded", LOG_TEXT("file", smsd->config.tls_cert));
    buffer_release(&why);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct smsd *smsd = signal->data;

    if (number == SIGHUP) {
        reload(smsd);
        return;
    }
    if (smsd->is_stopping)
        return;
    log_event(LOG_INFO, "stopping", LOG_NUMBER("signal", number));
    stop(smsd, (uint32_t)smsd->config.stop_grace_ms);
}

/* --- building up ---------------------------------------------------------------------------------
 */

static void start_signals(struct smsd *smsd)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uv_signal_init(&smsd->loop, &smsd->signals[i]);
        smsd->signals[i].data = smsd;
        uv_signal_start(&smsd->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&smsd->signals[i]);
    }
}

static void on_durable(void *context, uint64_t durable)
{
    struct smsd *smsd = context;

    if (smsd->server != NULL)
        http_server_release(smsd->server, durable);
    if (smsd->gateways != NULL)
        gateways_release(smsd->gateways, durable);
    if (smsd->webhook_sender != NULL)
        webhook_sender_release(smsd->webhook_sender, durable);
}

static int open_pipeline(struct smsd *smsd, struct buffer *why)
{
    const struct config *config = &smsd->config;
    struct pipeline_options options = {
        .store = {.data_dir = config->data_dir,
                  .overlay_bytes_max = (size_t)config->overlay_bytes_max,
                  .journal_bytes_max = (size_t)config->journal_bytes_max,
                  .checkpoint_interval_ms = (uint32_t)config->checkpoint_interval_ms,
                  .map_bytes_max = (size_t)config->map_bytes_max},
        .is_test_clock = config->test_clock,
        .on_durable = on_durable,
        .context = smsd};

    return pipeline_open(&smsd->pipeline, &smsd->loop, &options, why);
}

static int write_whole(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR)
            return ERR_IO;
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return fsync(fd) == 0 ? 0 : ERR_IO;
}

static int write_admin_key(const char *path, const char *secret, struct buffer *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int error = fd < 0 ? ERR_IO : write_whole(fd, secret, API_KEY_SECRET_SIZE);

    if (error == 0)
        error = write_whole(fd, "\n", 1);
    if (error != 0)
        buffer_append_format(why, "cannot write %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return error;
}

/* First start: system accounts and the admin key. The key's file is there before the key is, so
 * that a crash in between leaves no key that nobody has; the next start makes another. */
static int bootstrap(struct smsd *smsd, struct buffer *why)
{
    struct command command = {.type = COMMAND_BOOTSTRAP};
    char secret[API_KEY_SECRET_SIZE];
    struct buffer path;
    int error;

    if (!pipeline_is_new(smsd->pipeline))
        return 0;
    api_key_secret_make(secret, command.of.bootstrap.api_key_digest);
    entropy_fill(&command.of.bootstrap.secret, sizeof command.of.bootstrap.secret);
    buffer_init(&path);
    buffer_append_format(&path, "%s/admin.key", smsd->config.data_dir);
    buffer_append(&path, "", 1);
    error = write_admin_key(path.data, secret, why);
    if (error == 0) {
        pipeline_bootstrap(smsd->pipeline, &command);
        pipeline_flush(smsd->pipeline);
        log_event(LOG_INFO, "admin_key_made", LOG_TEXT("path", path.data));
    }
    buffer_release(&path);
    return error;
}

static int start_server(struct smsd *smsd, struct buffer *why)
{
    const struct config *config = &smsd->config;
    struct http_server_options options = server_options(config);
    struct http_handler handler;
    int error;

    api_handler(smsd->api, &handler);
    error = http_server_new(&smsd->server, &smsd->loop, &options, &handler);
    if (error == 0 && smsd->is_tls)
        error = load_certificate(smsd, why);
    if (error == 0) /* what the last run left is durable */
        http_server_release(smsd->server, pipeline_durable(smsd->pipeline));
    for (int i = 0; error == 0 && i < config->listen.count; i++) {
        struct buffer bound;
        buffer_init(&bound);
        error = http_server_listen(smsd->server, config->listen.items[i], &bound, why);
        if (error != 0)
            buffer_append_format(why, " (in --listen %s)", config->listen.items[i]);
        buffer_append(&bound, "", 1);
        if (error == 0)
            log_event(LOG_INFO, "listening", LOG_TEXT("address", bound.data));
        if (smsd->address.size == 0)
            buffer_append(&smsd->address, bound.data, bound.size);
        buffer_release(&bound);
    }
    return error;
}

static void greet(const struct smsd *smsd)
{
    const char *address = smsd->address.data, *dir = smsd->config.data_dir;
    bool is_unix = strncmp(address, "unix:", 5) == 0;

    printf("smsd " VERSION " serves %s, its data lies in %s\n", address, dir);
    if (smsd->config.test_clock)
        log_event(LOG_WARNING, "test_clock", LOG_TEXT("note", "time can be moved by an API call"));
    if (smsd->config.test_clock)
        printf("WARNING: --test-clock: time can be moved by an API call. Never in production.\n");
    printf("The admin key is in %s/admin.key. To begin with:\n\n"
           "  curl -sS -H \"Authorization: Bearer $(cat %s/admin.key)\" \\\n"
           "    --json '{\"amount\":10000}' %s%s%s/v1/accounts/alice/topups\n\n",
           dir, dir,
           is_unix        ? "--unix-socket "
           : smsd->is_tls ? "https://"
                          : "http://",
           is_unix ? address + 5 : address, is_unix ? " http://localhost" : "");
    fflush(stdout);
}

static void start_jobs(struct smsd *smsd)
{
    struct jobs_options options = jobs_options_of(&smsd->config);

    smsd->jobs = jobs_new(smsd->pipeline, smsd->gateways, &smsd->loop, &options);
}

static void start_api(struct smsd *smsd)
{
    struct api_options options = api_options(&smsd->config);

    smsd->api = api_new(smsd->pipeline, smsd->jobs, smsd->gateways, &options);
}

static void start_gateways(struct smsd *smsd)
{
    const char *log = smsd->config.sandbox_log;
    struct gateways_options options = {.sandbox_log = *log != '\0' ? log : NULL,
                                       .ca_file = smsd->config.tls_ca_file};

    smsd->gateways = gateways_new(smsd->pipeline, &smsd->loop, &options);
}

static void start_webhook_sender(struct smsd *smsd)
{
    const struct config *config = &smsd->config;
    struct webhook_sender_options options = {
        .in_flight_max = (uint32_t)config->webhooks_in_flight_max,
        .endpoint_in_flight_max = (uint32_t)config->webhooks_endpoint_in_flight_max,
        .endpoints_max = (uint32_t)config->webhooks_endpoints_max,
        .timeout_ms = (uint32_t)config->webhooks_timeout_ms,
        .allow_private = config->webhooks_allow_private,
        .ca_file = config->tls_ca_file,
    };

    smsd->webhook_sender = webhook_sender_new(smsd->pipeline, &smsd->loop, &options);
}

static int start(struct smsd *smsd, struct buffer *why)
{
    int error = open_pipeline(smsd, why);

    if (error != 0)
        return error;
    error = bootstrap(smsd, why);
    if (error != 0)
        return error;
    pipeline_cities(smsd->pipeline)->bytes_max = (uint64_t)smsd->config.cities_memory_bytes_max;
    start_gateways(smsd);
    start_webhook_sender(smsd);
    start_jobs(smsd);
    start_api(smsd);
    return start_server(smsd, why);
}

static int serve(struct config *config, struct buffer *why)
{
    struct smsd smsd = {.config = *config, .is_tls = *config->tls_cert != '\0'};
    int error;

    if (log_open(*config->log_file != '\0' ? config->log_file : NULL,
                 log_level_of(config->log_level)) != 0) {
        buffer_append_format(why, "cannot write %s: %s", config->log_file, strerror(errno));
        return EXIT_FAILURE;
    }
    uv_loop_init(&smsd.loop);
    buffer_init(&smsd.address);
    start_signals(&smsd);
    error = start(&smsd, why);
    if (error == 0) {
        greet(&smsd);
    } else {
        stop(&smsd, 0);
    }
    take_down(&smsd);
    *config = smsd.config; /* SIGHUP may have changed it */
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- smsd verify ---------------------------------------------------------------------------------
 */

static int on_verify_row(void *context, enum table table, const void *key, size_t key_size,
                         const void *value, size_t value_size)
{
    audit_row(context, table, key, key_size, value, value_size);
    return 0;
}

static int on_verify_record(void *context, uint64_t number, const void *value, size_t value_size,
                            bool is_row, uint64_t *to, uint64_t *company)
{
    return audit_history_record(context, number, value, value_size, is_row, to, company)
               ? 0
               : ERR_DAMAGED;
}

static int verify(struct config *config, struct buffer *why)
{
    struct audit *audit = malloc(sizeof *audit);
    struct buffer summary;
    int error;

    assert(audit != NULL);
    audit_init(audit, true);
    buffer_init(&summary);
    audit_history(audit);
    error = store_verify_all(config->data_dir, &summary, why,
                             &(struct store_verify){.on_row = on_verify_row,
                                                    .on_record = on_verify_record,
                                                    .live = TABLE_MESSAGE,
                                                    .context = audit});
    if (error == 0 && !audit_finish(audit)) {
        buffer_append_text(why, audit->fault);
        error = ERR_DAMAGED;
    }
    if (summary.size > 0)
        fwrite(summary.data, 1, summary.size, stdout);
    if (error == 0)
        printf("%llu accounts, %llu entries; balances sum to %lld: ok\n",
               (unsigned long long)audit->accounts, (unsigned long long)audit->entries,
               (long long)audit->sum);
    buffer_release(&summary);
    free(audit);
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- the command line ----------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    int (*run)(struct config *config, struct buffer *why);
    const char *prose;
} commands[] = {
    {"serve", serve, "Serve the data directory (the default)."},
    {"verify", verify, "Check a data directory that no smsd has open; changes nothing."},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(void)
{
    struct buffer text;

    buffer_init(&text);
    buffer_append_text(&text, "usage: smsd [COMMAND] --data-dir DIR [OPTION]…\n\n");
    for (int i = 0; i < COMMANDS; i++)
        buffer_append_format(&text, "  %-8s %s\n", commands[i].name, commands[i].prose);
    buffer_append_text(&text, "\n");
    config_help(&text);
    buffer_append_text(&text, "  --version\n  --help\n");
    fwrite(text.data, 1, text.size, stdout);
    buffer_release(&text);
    return EXIT_SUCCESS;
}

static int run_command(int index, int argc, char **argv)
{
    struct config config;
    struct buffer why;
    int status = EXIT_USAGE;

    buffer_init(&why);
    if (config_read(&config, argc, argv, &why) == 0) {
        if (*config.data_dir == '\0')
            buffer_append_text(&why, "--data-dir DIR is needed; see smsd --help");
        else
            status = commands[index].run(&config, &why);
    }
    if (why.size > 0)
        fprintf(stderr, "smsd: %.*s\n", (int)why.size, why.data);
    buffer_release(&why);
    config_release(&config);
    return status;
}

int main(int argc, char **argv)
{
    int index = 0, first = 1;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return help();
        if (strcmp(argv[i], "--version") == 0) {
            printf("smsd " VERSION "\n");
            return EXIT_SUCCESS;
        }
    }
    if (argc > 1 && argv[1][0] != '-') {
        while (index < COMMANDS && strcmp(commands[index].name, argv[1]) != 0)
            index++;
        if (index == COMMANDS) {
            fprintf(stderr, "smsd: unknown command %s; see smsd --help\n", argv[1]);
            return EXIT_USAGE;
        }
        first = 2;
    }
    return run_command(index, argc - first, argv + first);
}
