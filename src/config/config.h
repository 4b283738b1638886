/* The options, declared as rows of option.def, from the command line and a file. */
#ifndef SMSD_CONFIG_CONFIG_H
#define SMSD_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct buffer;

enum { CONFIG_TEXTS_MAX = 16 };

struct config_texts {
    char *items[CONFIG_TEXTS_MAX];
    int count;
};

#define CONFIG_TYPE_TEXT   char *
#define CONFIG_TYPE_NUMBER int64_t
#define CONFIG_TYPE_FLAG   bool
#define CONFIG_TYPE_TEXTS  struct config_texts

struct config {
#define OPTION(name, kind, default, min, max, unit, prose) CONFIG_TYPE_##kind name;
#include "config/option.def"
#undef OPTION
    int argument_count; /* what it was read from, by reference */
    char **arguments;
};

/* Fills `config` with what the arguments (argv[0] not counted) and the file of --config say, and
 * the defaults. 0, or an enum error with a sentence in `why`. */
int config_read(struct config *config, int argc, char **argv, struct buffer *why);
/* Reads arguments and file again. What has changed of the options that may (live.def) is taken
 * over, and each changed one is told, in the order of the rows: with `is_applied` false it was left
 * as it was. On an error nothing is changed. */
int config_reload(struct config *config, struct buffer *why,
                  void (*on_changed)(void *context, const char *name, bool is_applied),
                  void *context);
void config_release(struct config *config);
/* The options as --help shows them. */
void config_help(struct buffer *to);

#endif
