/* Instructions to read and to answer one charge: json_parse and json_bind of the common body, and
 * the writing of its answer; and to read one line of signals. Time says little on a busy machine,
 * instructions hold still: `make instructions` counts them; callgrind_annotate
 * build/bench/read_charge.callgrind shows where they go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "json/flat.h"
#include "json/read.h"
#include "json/write.h"

struct charge {
    struct json_text account;
    int64_t amount;
    struct json_text reference;
    struct json_text mode;
};

static const struct json_field charge_fields[] = {
    {.name = "account",
     .kind = JSON_TEXT,
     .offset = offsetof(struct charge, account),
     .is_required = true,
     .min = 1,
     .max = 64},
    {.name = "amount",
     .kind = JSON_INT,
     .offset = offsetof(struct charge, amount),
     .is_required = true,
     .min = 1,
     .max = INT64_C(9007199254740991)},
    {.name = "reference",
     .kind = JSON_TEXT,
     .offset = offsetof(struct charge, reference),
     .max = 255},
    {.name = "mode", .kind = JSON_TEXT, .offset = offsetof(struct charge, mode), .max = 16},
};

/* A line of signals, as api/signals.c declares it. */
struct signal {
    struct json_text mobile, city;
    int64_t lat, lon;
    struct json_text at, label;
};

static const struct json_field signal_fields[] = {
    {.name = "mobile",
     .kind = JSON_TEXT,
     .offset = offsetof(struct signal, mobile),
     .is_required = true,
     .min = 1,
     .max = 16},
    {.name = "city", .kind = JSON_TEXT, .offset = offsetof(struct signal, city), .max = 64},
    {.name = "lat", .kind = JSON_DECIMAL, .offset = offsetof(struct signal, lat), .decimals = 6},
    {.name = "lon", .kind = JSON_DECIMAL, .offset = offsetof(struct signal, lon), .decimals = 6},
    {.name = "at", .kind = JSON_TEXT, .offset = offsetof(struct signal, at), .max = 40},
    {.name = "label", .kind = JSON_TEXT, .offset = offsetof(struct signal, label), .max = 64},
};

bool read_charge(struct arena *arena, const char *text, size_t size, struct charge *charge);
bool read_signal(const struct json_flat *flat, const char *text, size_t size,
                 struct signal *signal);
void write_charge(struct buffer *to, const struct charge *charge);

__attribute__((noinline, noipa)) bool read_charge(struct arena *arena, const char *text,
                                                  size_t size, struct charge *charge)
{
    struct json_errors errors;
    const char *why;
    uint64_t given;
    json_errors_init(&errors);
    const struct json_value *value = json_parse(arena, text, size, &why);
    return value != NULL &&
           json_bind(arena, value, charge_fields, sizeof charge_fields / sizeof *charge_fields,
                     charge, &given, "", &errors);
}

__attribute__((noinline, noipa)) bool read_signal(const struct json_flat *flat, const char *text,
                                                  size_t size, struct signal *signal)
{
    uint64_t given;
    return json_flat_read(flat, text, size, signal, &given);
}

__attribute__((noinline, noipa)) void write_charge(struct buffer *to, const struct charge *charge)
{
    struct json_writer w = json_writer(to);
    json_object_begin(&w, NULL);
    json_id(&w, "id", "chg_", UINT64_C(480000000000000000));
    json_text(&w, "account", charge->account.data, charge->account.size);
    json_int(&w, "amount", charge->amount);
    json_text(&w, "reference", charge->reference.data, charge->reference.size);
    json_string(&w, "status", "settled");
    json_int(&w, "balance", 1234567);
    json_id(&w, "entry", "ent_", UINT64_C(480000000000000001));
    json_time(&w, "created_at", INT64_C(1795290060123));
    json_object_end(&w);
}

int main(int argument_count, char **arguments)
{
    static const char body[] = "{\"account\":\"u12345678\",\"amount\":5,\"reference\":\"r-1\"}";
    static const char line[] = "{\"mobile\":\"+8613812345678\",\"city\":\"shanghai\"}";
    long rounds = argument_count > 1 ? strtol(arguments[1], NULL, 10) : 1000000;
    struct arena arena;
    struct json_flat flat;
    struct buffer answer;
    int64_t sum = 0;
    arena_init(&arena, 0);
    json_flat_init(&flat, signal_fields, sizeof signal_fields / sizeof *signal_fields);
    buffer_init(&answer);
    for (long i = 0; i < rounds; i++) {
        struct charge charge = {.mode = {"now", 3}};
        if (!read_charge(&arena, body, sizeof body - 1, &charge))
            return 1;
        struct signal signal = {.lat = 0};
        if (!read_signal(&flat, line, sizeof line - 1, &signal))
            return 1;
        answer.size = 0;
        write_charge(&answer, &charge);
        sum += charge.amount;
        arena_reset(&arena);
    }
    printf("%ld charges of %lld in all, answered with %.*s\n", rounds, (long long)sum,
           (int)answer.size, answer.data);
    arena_release(&arena);
    buffer_release(&answer);
    return 0;
}
