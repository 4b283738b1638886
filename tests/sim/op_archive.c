/* Steps of the archive (SMS-19). Between the first and the second of a chunk other commands run,
 * and now and then the second never comes: as after a kill, the chunk is then begun again. */
#include "episode.h"
#include "wrong.h"

enum { MINUTE_MS = 60 * 1000, KILLED_ONE_IN = 6 };

static void move(struct episode *episode)
{
    struct archive *archive = &episode->archive;
    struct command command = {.type = COMMAND_MESSAGES_ARCHIVED};
    bool is_unchanged[ARCHIVE_CHUNK_MAX];
    struct result result;

    command.of.messages_archived =
        (struct messages_archived_command){archive->chunk, archive->chunk_count};
    world_begin(&episode->world);
    archive_look(archive, episode->world.txn, is_unchanged);
    world_abort(&episode->world);
    result = episode_run_alone(episode, &command, true);
    world_begin(&episode->world);
    archive_moved(archive, &episode->world, &result, is_unchanged);
    world_abort(&episode->world);
}

void op_archive(struct episode *episode, const struct op *op)
{
    static const int64_t ages_ms[] = {-1, 0, MINUTE_MS, DAY_MS};
    struct archive *archive = &episode->archive;

    if (archive->chunk_count > 0 && op->pick % KILLED_ONE_IN == 0) {
        archive->chunk_count = 0;
    } else if (archive->chunk_count > 0) {
        move(episode);
    } else {
        world_begin(&episode->world);
        archive_gather(archive, episode->world.txn, episode->world.now_ms - ages_ms[op->number % 4],
                       1 + op->number / 4 % ARCHIVE_CHUNK_MAX);
        world_abort(&episode->world);
        if (episode->mirror != NULL)
            mirror_keep(episode->mirror, archive);
    }
}

/* Not between a chunk's two steps: one job does both. */
void op_history_drop(struct episode *episode)
{
    struct command command = {.type = COMMAND_HISTORY_DROP};
    uint32_t day;

    if (episode->archive.chunk_count > 0 || !archive_first_day(&episode->archive, &day))
        return;
    command.of.history_drop.day = day;
    episode_run_alone(episode, &command, true);
    world_begin(&episode->world);
    archive_dropped(&episode->archive, &episode->world, day);
    world_abort(&episode->world);
    if (episode->mirror != NULL)
        mirror_drop(episode->mirror, day);
}
