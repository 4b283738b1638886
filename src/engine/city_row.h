/* Rows of cities, visits, traces and the image of the cities' memory: engine/row.h's rules hold
 * here, too. Days and seconds are of Unix time; positions are millionths of a degree. */
#ifndef SMSD_ENGINE_CITY_ROW_H
#define SMSD_ENGINE_CITY_ROW_H

#include <assert.h>
#include <stdint.h>

enum city_basis { CITY_SEEN = 1, CITY_SENT = 2 };

enum city_decision {
#define DECISION(name, number, text, reason) DECISION_##name = (number),
#include "engine/city_decision.def"
#undef DECISION
};

/* TABLE_CITY: city code -> this, then areas (struct city_area_row each), name, group, and labels
 * (a byte of size before each). */
struct city_row {
    uint8_t version;
    uint8_t basis; /* enum city_basis */
    uint8_t is_enabled;
    uint8_t rollout_percent; /* 0 to 100 */
    uint16_t window_days;
    uint16_t area_count;
    uint8_t name_size;
    uint8_t group_size;
    uint8_t label_count;
    uint8_t has_message;   /* its row in TABLE_CITY_MESSAGE is there */
    uint32_t index;        /* 0, 1, … in the order of their creation: part of a visit's key */
    uint64_t number;       /* its creation */
    uint64_t capacity;     /* of its filter */
    uint64_t misjudgement; /* the rate its filter keeps, in 10^-9 */
    int64_t updated_ms;
};
static_assert(sizeof(struct city_row) == 48, "stored layout");

struct city_area_row {
    int32_t lat, lon; /* millionths of a degree */
    uint32_t radius_m;
};
static_assert(sizeof(struct city_area_row) == 12, "stored layout");

/* TABLE_CITY_MESSAGE: what a city sends -> this, company and template (ids), then the parameters:
 * size of the name (u8), size of the value (u16), name, value. */
struct city_message_row {
    uint8_t version;
    uint8_t company_size;
    uint8_t template_size;
    uint8_t param_count;
    uint8_t zero[4];
};
static_assert(sizeof(struct city_message_row) == 8, "stored layout");

/* TABLE_VISIT: a user in a city. Seconds of Unix time; 0: never. */
struct visit_row {
    uint8_t version;
    uint8_t decision;  /* enum city_decision, the last */
    uint16_t last_day; /* of Unix time: when it was seen last; 0: the mark was taken away */
    uint32_t first_s;
    uint32_t last_s;    /* the first sighting of the last day */
    uint32_t decided_s; /* when it was decided, which is never before the signal's own time */
    uint32_t sent_s;    /* likewise, if a message was made; 0 also: it was, and has failed */
    uint32_t zero;
    uint64_t message; /* the last one; 0: none */
};
static_assert(sizeof(struct visit_row) == 32, "stored layout");

/* TABLE_VISIT_LOG: command's number -> this, then a struct visit_log_entry for each visit that the
 * command changed. Kept from when an image of the cities' memory is begun until a newer one is
 * there. */
struct visit_log_row {
    uint8_t version;
    uint8_t zero[7];
};
static_assert(sizeof(struct visit_log_row) == 8, "stored layout");

struct visit_log_entry {
    uint32_t city;
    uint32_t visit[2]; /* of 64 bits: mobile, then 10 bits of what memory keeps of the visit */
};
static_assert(sizeof(struct visit_log_entry) == 12, "stored layout");

/* TABLE_CITY_IMAGE: nothing -> the image of the cities' memory that may be believed, and the log of
 * visits since. Without this row there is no log. */
struct city_image_row {
    uint8_t version;
    uint8_t zero[3];
    uint32_t crc;           /* of the image */
    uint64_t image;         /* its number; 0: there is none yet */
    uint64_t bytes;         /* of it */
    uint64_t log_from;      /* commands of greater numbers are in the log */
    uint64_t log_entries;   /* in it, about: those before an image's beginning go with it */
    uint64_t begun;         /* the image being made; 0: none */
    uint64_t begun_entries; /* log_entries at its beginning */
};
static_assert(sizeof(struct city_image_row) == 56, "stored layout");
/* TABLE_GROUP_WELCOME: group, mobile -> the last message that a city of the group has sent. */
struct group_welcome_row {
    uint8_t version;
    uint8_t zero;
    uint16_t window_days; /* the city's, then */
    uint32_t city;        /* its index */
    uint32_t sent_s;      /* as the visit's */
    uint32_t zero2;
    uint64_t message;
};
static_assert(sizeof(struct group_welcome_row) == 24, "stored layout");

enum { TRACE_ITEMS_MAX = 16 };

struct trace_item {
    int64_t at_ms; /* of the signal */
    int64_t decided_ms;
    uint64_t message; /* 0: none */
    uint32_t city;    /* its index */
    uint8_t decision; /* enum city_decision */
    uint8_t status;   /* enum message_status, once it is final; 0: not yet */
    uint16_t outcome; /* enum outcome: why a message was refused; 0: none was */
};

/* TABLE_TRACE: what was decided of a mobile, newest first; the oldest go. As many items as there
 * are. */
struct trace_row {
    uint8_t version;
    uint8_t count;
    uint8_t zero[6];
    struct trace_item items[TRACE_ITEMS_MAX];
};
static_assert(sizeof(struct trace_row) == 8 + 32 * TRACE_ITEMS_MAX, "stored layout");

#endif
