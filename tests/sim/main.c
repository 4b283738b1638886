/* The simulator (DESIGN.md, Engine): made-up commands over the engine, in memory and on disk, held
 * against a model after each. Every run is a process of its own, so that whatever ends it (a
 * comparison, an assertion of the engine, a crash) is a failure like any other: its plan is made
 * small and printed line by line.
 *
 *     simulator [--seed N] [--steps N] [--disk-steps N]     TAP: a line a run
 *     simulator --seed N --episode N [--ops 3,17,20] [--ops-max N]
 *                                                           one episode in memory, traced */
#include <assert.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "episode.h"
#include "shrink.h"
#include "wrong.h"

enum { DISK_OPS_MAX = 1500, LAST_OPS = 30 };

struct options {
    uint64_t seed, steps, disk_steps;
    uint32_t ops_max;
    int64_t episode; /* -1: all */
    const char *ops;
};

static struct plan plan;

/* --- processes -----------------------------------------------------------------------------------
 */

/* Runs it in a process of its own; its status as waitpid tells it. */
static int in_process(void (*run)(void *context), void *context, bool is_quiet)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        if (is_quiet && (freopen("/dev/null", "w", stdout) == NULL ||
                         freopen("/dev/null", "w", stderr) == NULL))
            abort();
        run(context);
        fflush(NULL);
        _exit(0);
    }
    while (waitpid(pid, &status, 0) != pid)
        continue;
    return status;
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* Of all processes that have ended. */
static double processor_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* --- failures ------------------------------------------------------------------------------------
 */

static void run_plan(void *context)
{
    episode_run(context, NULL, TRACE_NONE);
}

static void run_traced(void *context)
{
    episode_run(context, NULL, TRACE_ALL);
}

static bool plan_fails(const struct plan *candidate)
{
    static struct plan copy;

    copy = *candidate;
    return in_process(run_plan, &copy, true) != 0;
}

static void say_what(int status)
{
    printf("# seed %llu, episode %u, op %u, step %llu: ", (unsigned long long)where->seed,
           where->episode, where->op, (unsigned long long)where->steps);
    if (WIFSIGNALED(status))
        printf("killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        printf("%s\n", where->what);
}

/* The plan fails in memory: what of it is enough, and its trace. */
static void explain(int status)
{
    static uint32_t kept[OPS_MAX];
    uint32_t count = plan.count;

    say_what(status);
    if (where->op + 1 < plan.count)
        plan.count = where->op + 1;
    if (!plan_fails(&plan))
        plan.count = count;
    shrink(&plan, kept, plan_fails);
    printf("# %u of %u ops are enough:\n", plan.count, count);
    where->what[0] = '\0';
    status = in_process(run_traced, &plan, false);
    say_what(status);
    printf("# again: simulator --seed %llu --episode %u --ops ", (unsigned long long)plan.seed,
           plan.episode);
    for (uint32_t i = 0; i < plan.count; i++)
        printf("%s%u", i == 0 ? "" : ",", kept[i]);
    printf("\n");
}

/* --- in memory -----------------------------------------------------------------------------------
 */

static void run_episodes(void *context)
{
    const struct options *options = context;

    for (uint32_t episode = 0; where->steps < options->steps; episode++) {
        where->episode = episode;
        plan_draw(&plan, options->seed, episode, OPS_USUAL_MAX);
        episode_run(&plan, NULL, TRACE_NONE);
    }
}

static bool simulate_memory(struct options *options)
{
    struct timespec start;
    int status;
    double seconds;

    *where = (struct where){.seed = options->seed};
    clock_gettime(CLOCK_MONOTONIC, &start);
    status = in_process(run_episodes, options, false);
    seconds = seconds_since(&start);
    printf("%s 1 - BILL-3, BILL-12, PKT-5, PKT-9, SMS-8, SMS-9, SMS-14, SMS-17, SMS-18, SMS-19, "
           "SMS-21, SMS-22, CITY-3, CITY-4, CITY-7, CITY-9: the engine keeps every rule over "
           "made-up commands in memory\n",
           status == 0 ? "ok" : "not ok");
    printf("# seed %llu: %llu commands in %u episodes, %.1f s, %.0f a second of processor time\n",
           (unsigned long long)options->seed, (unsigned long long)where->steps, where->episode + 1,
           seconds, (double)where->steps / processor_seconds());
    if (status == 0)
        return true;
    plan_draw(&plan, options->seed, where->episode, OPS_USUAL_MAX);
    explain(status);
    return false;
}

/* --- on disk -------------------------------------------------------------------------------------
 */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat, (void)kind, (void)walk;
    return remove(path);
}

static void run_life(void *context)
{
    struct mirror *mirror = mirror_new(context);

    episode_run(&plan, mirror, TRACE_NONE);
    mirror_free(mirror);
}

/* One episode on disk through all its deaths; the status of the last life. */
static int run_lives(const char *directory, uint64_t *kills)
{
    char data_dir[PATH_MAX];
    struct mirror_options options = {.data_dir = data_dir, .seed = plan.seed + plan.episode};
    struct draw draw;
    int status;

    if (snprintf(data_dir, sizeof data_dir, "%s/data", directory) >= (int)sizeof data_dir)
        abort();
    draw_init(&draw, plan.seed, UINT64_C(2) << 32 | plan.episode);
    where->durable = where->commits = 0;
    for (;;) {
        uint64_t steps = where->steps;
        options.lives_for = draw_chance(&draw, 6) ? 0 : 1 + draw_below(&draw, 400);
        status = in_process(run_life, &options, false);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            break;
        ++*kills;
        where->steps = steps; /* they are run again */
        options.durable = where->durable;
        options.begun = where->commits;
    }
    if (status == 0)
        nftw(data_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

static void run_traced_end(void *context)
{
    const struct plan *whole = context;

    episode_run(whole, NULL, whole->count > LAST_OPS ? whole->count - LAST_OPS : TRACE_ALL);
}

/* Of a failure that hangs on the disk's and its threads' whim, the seed alone may not bring it
 * back: the directory stays, and the last commands are told as they are in memory. */
static void explain_disk(const char *directory)
{
    printf("# %u commits were made, %u of them durable; what is on disk is left in %s\n",
           where->commits, where->durable, directory);
    printf(
        "# all that led there: simulator --seed %llu --episode %u --ops-max %d; the last of it:\n",
        (unsigned long long)where->seed, where->episode, DISK_OPS_MAX);
    if (where->op + 1 < plan.count)
        plan.count = where->op + 1;
    in_process(run_traced_end, &plan, false);
}

static bool simulate_disk(struct options *options)
{
    char directory[PATH_MAX];
    const char *parent = getenv("TMPDIR");
    uint64_t kills = 0;
    struct timespec start;
    int status = 0;
    uint32_t episode = 0;

    snprintf(directory, sizeof directory, "%s/smsd-sim-XXXXXX", parent != NULL ? parent : "/tmp");
    if (mkdtemp(directory) == NULL)
        abort();
    *where = (struct where){.seed = options->seed};
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (; status == 0 && where->steps < options->disk_steps; episode++) {
        where->episode = episode;
        plan_draw(&plan, options->seed, episode, DISK_OPS_MAX);
        status = run_lives(directory, &kills);
    }
    printf("%s 2 - OPS-7, SMS-19, CITY-7: on disk, closed, killed and recovered, it ends in the "
           "same rows\n",
           status == 0 ? "ok" : "not ok");
    printf("# seed %llu: %llu commands in %u episodes, %llu kills, %.1f s\n",
           (unsigned long long)options->seed, (unsigned long long)where->steps, episode,
           (unsigned long long)kills, seconds_since(&start));
    if (status == 0) {
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        return true;
    }
    say_what(status);
    explain_disk(directory);
    return false;
}

/* --- the command line ----------------------------------------------------------------------------
 */

/* Leaves of the plan the ops of a list like "3,17,20". */
static void keep_ops(const char *list)
{
    uint32_t count = 0;

    while (*list != '\0') {
        char *end;
        unsigned long index = strtoul(list, &end, 10);
        if (end == list || index >= plan.count)
            break;
        plan.ops[count++] = plan.ops[index];
        list = *end == ',' ? end + 1 : end;
    }
    plan.count = count;
}

static int replay(const struct options *options)
{
    int status;

    *where = (struct where){.seed = options->seed, .episode = (uint32_t)options->episode};
    plan_draw(&plan, options->seed, (uint32_t)options->episode, options->ops_max);
    if (options->ops != NULL)
        keep_ops(options->ops);
    status = in_process(run_traced, &plan, false);
    if (status != 0)
        say_what(status);
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool take_option(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--seed") == 0)
        options->seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--steps") == 0)
        options->steps = strtoull(value, NULL, 10);
    else if (strcmp(name, "--disk-steps") == 0)
        options->disk_steps = strtoull(value, NULL, 10);
    else if (strcmp(name, "--episode") == 0)
        options->episode = strtoll(value, NULL, 10);
    else if (strcmp(name, "--ops-max") == 0)
        options->ops_max = (uint32_t)strtoul(value, NULL, 10);
    else if (strcmp(name, "--ops") == 0)
        options->ops = value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = (uint64_t)time(NULL),
                              .steps = 1000000,
                              .disk_steps = 20000,
                              .ops_max = OPS_USUAL_MAX,
                              .episode = -1};
    bool is_right = true;

    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !take_option(&options, argv[i], argv[i + 1])) {
            fprintf(stderr, "simulator: unknown option %s\n", argv[i]);
            return 2;
        }
    }
    where = mmap(NULL, sizeof *where, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(where != MAP_FAILED);
    if (options.episode >= 0)
        return replay(&options);
    printf("1..2\n");
    is_right = simulate_memory(&options);
    is_right = simulate_disk(&options) && is_right;
    return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}
