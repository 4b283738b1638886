/* Looking into what a provider said. All of it is hostile until a signature says otherwise, and
 * then still: it is searched with bounds, and whatever is not as expected is simply not found. */
#include "gateway/heard.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/digits.h"
#include "gateway/encoding.h"
#include "json/read.h"

/* --- parameters ----------------------------------------------------------------------------------
 */

static struct text decoded(struct arena *arena, struct text text)
{
    struct buffer buffer;
    struct text copy;

    buffer_init(&buffer);
    decode_url(&buffer, text, true);
    copy =
        (struct text){arena_copy(arena, buffer.size ? buffer.data : "", buffer.size), buffer.size};
    buffer_release(&buffer);
    return copy;
}

size_t heard_parameters(struct arena *arena, struct text encoded, struct parameter *parameters,
                        size_t count)
{
    const char *at = encoded.data, *end;

    if (encoded.size == 0)
        return count;
    end = encoded.data + encoded.size;
    while (at < end && count < HEARD_PARAMETERS_MAX) {
        const char *mark = memchr(at, '&', (size_t)(end - at));
        const char *stop = mark == NULL ? end : mark;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        const char *name_end = equals == NULL ? stop : equals;
        const char *value = equals == NULL ? stop : equals + 1;
        if (stop > at)
            parameters[count++] =
                (struct parameter){decoded(arena, (struct text){at, (size_t)(name_end - at)}),
                                   decoded(arena, (struct text){value, (size_t)(stop - value)})};
        at = stop + 1;
    }
    return count;
}

/* --- JSON ----------------------------------------------------------------------------------------
 */

static struct text json_as_text(struct arena *arena, const struct json_value *value)
{
    struct json_text text;
    int64_t number;
    bool is_true;

    if (json_get_text(value, &text))
        return (struct text){text.data, text.size};
    if (json_get_int(value, &number)) {
        char digits[DIGITS_MAX];
        size_t size = digits_put_int(digits, number);
        return (struct text){arena_copy(arena, digits, size), size};
    }
    if (json_get_bool(value, &is_true))
        return is_true ? TEXT("true") : TEXT("false");
    return (struct text){NULL, 0};
}

/* Is the step of a pointer this name? "~1" is a slash and "~0" a tilde. */
static bool is_step(struct text step, struct json_text name)
{
    size_t n = 0;

    for (size_t i = 0; i < step.size; i++, n++) {
        char c = step.data[i];
        if (c == '~' && i + 1 < step.size)
            c = step.data[++i] == '1' ? '/' : '~';
        if (n >= name.size || name.data[n] != c)
            return false;
    }
    return n == name.size;
}

static bool is_index(struct text step, size_t index)
{
    char digits[DIGITS_MAX];
    size_t size = digits_put_uint(digits, index);

    return text_equals(step, (struct text){digits, size});
}

static struct text first_step(struct text pointer)
{
    const char *begin = pointer.data + 1;
    const char *slash = memchr(begin, '/', pointer.size - 1);

    return (struct text){begin, slash == NULL ? pointer.size - 1 : (size_t)(slash - begin)};
}

static struct text behind_step(struct text pointer, struct text step)
{
    return (struct text){step.data + step.size, pointer.size - 1 - step.size};
}

static size_t find_in(struct arena *arena, const struct json_value *value, struct text pointer,
                      struct text *texts, size_t max)
{
    size_t index = 0, count = 0;
    struct text step, rest;

    if (value == NULL || max == 0)
        return 0;
    if (pointer.size == 0) {
        texts[0] = json_as_text(arena, value);
        return texts[0].data != NULL;
    }
    step = first_step(pointer);
    rest = behind_step(pointer, step);
    for (const struct json_value *item = json_array_first(value); item != NULL;
         item = json_next(item), index++) {
        if (text_equals(step, TEXT("*")) || is_index(step, index))
            count += find_in(arena, item, rest, texts + count, max - count);
    }
    for (const struct json_value *item = json_object_first(value); item != NULL;
         item = json_next(item)) {
        if (is_step(step, json_name(item)))
            count += find_in(arena, item, rest, texts + count, max - count);
    }
    return count;
}

const struct json_value *heard_json_at(const struct json_value *value, struct text pointer)
{
    while (value != NULL && pointer.size > 0) {
        struct text step = first_step(pointer);
        const struct json_value *item = json_array_first(value);
        bool is_array = json_is_array(value);
        size_t index = 0;
        if (!is_array)
            item = json_object_first(value);
        while (item != NULL &&
               !(is_array ? is_index(step, index) : is_step(step, json_name(item)))) {
            item = json_next(item);
            index++;
        }
        value = item;
        pointer = behind_step(pointer, step);
    }
    return value;
}

const struct json_value *heard_items(const struct heard *heard, struct text pointer)
{
    const struct json_value *array = heard_json_at(heard->json, pointer);

    return array == NULL ? NULL : json_array_first(array);
}

/* --- places --------------------------------------------------------------------------------------
 */

struct place_body {
    struct json_text json, field, header, after, until;
};

enum { BIT_JSON = 1, BIT_FIELD = 2, BIT_HEADER = 4, BIT_AFTER = 8, BIT_UNTIL = 16 };
enum { PLACE_BYTES_MAX = 256 };

#define PLACE_TEXT(member, least)                                                                  \
    {                                                                                              \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(struct place_body, member),         \
        .min = (least), .max = PLACE_BYTES_MAX                                                     \
    }

static const struct json_field place_fields[] = {PLACE_TEXT(json, 0), PLACE_TEXT(field, 1),
                                                 PLACE_TEXT(header, 1), PLACE_TEXT(after, 1),
                                                 PLACE_TEXT(until, 1)};

static struct text copied(struct arena *arena, struct json_text text)
{
    return (struct text){arena_copy(arena, text.data, text.size), text.size};
}

static struct place place_of(struct arena *arena, const struct place_body *body, uint64_t given,
                             const char *pointer, struct json_errors *errors)
{
    struct place place = {.kind = PLACE_NONE};

    switch (given & ~(uint64_t)BIT_UNTIL) {
    case BIT_JSON:
        place = (struct place){PLACE_JSON, copied(arena, body->json), {NULL, 0}};
        if (body->json.size > 0 && body->json.data[0] != '/')
            json_errors_add(arena, errors, json_pointer_name(arena, pointer, "json"),
                            "must be a JSON pointer: empty, or beginning with /");
        break;
    case BIT_FIELD:
        place = (struct place){PLACE_FIELD, copied(arena, body->field), {NULL, 0}};
        break;
    case BIT_HEADER:
        place = (struct place){PLACE_HEADER, copied(arena, body->header), {NULL, 0}};
        break;
    case BIT_AFTER:
        place.kind = PLACE_BETWEEN;
        place.name = copied(arena, body->after);
        if (given & BIT_UNTIL)
            place.until = copied(arena, body->until);
        break;
    default:
        json_errors_add(arena, errors, pointer, "must name one of json, field, header, after");
    }
    if ((given & BIT_UNTIL) && !(given & BIT_AFTER))
        json_errors_add(arena, errors, json_pointer_name(arena, pointer, "until"),
                        "goes with after only");
    return place;
}

struct place place_read(struct arena *arena, const struct json_value *value, const char *pointer,
                        struct json_errors *errors)
{
    struct place_body body = {0};
    uint64_t given;

    if (!json_bind(arena, value, place_fields, FIELD_COUNT(place_fields), &body, &given, pointer,
                   errors))
        return (struct place){.kind = PLACE_NONE};
    return place_of(arena, &body, given, pointer, errors);
}

static struct text find_between(const struct place *place, struct text body)
{
    const char *found =
        body.data == NULL ? NULL : memmem(body.data, body.size, place->name.data, place->name.size);
    const char *begin, *end = body.data + body.size, *stop;

    if (found == NULL)
        return (struct text){NULL, 0};
    begin = found + place->name.size;
    if (place->until.size > 0) {
        stop = memmem(begin, (size_t)(end - begin), place->until.data, place->until.size);
        if (stop == NULL)
            return (struct text){NULL, 0};
    } else {
        stop = begin;
        while (stop < end && (unsigned char)*stop > ' ')
            stop++;
    }
    return (struct text){begin, (size_t)(stop - begin)};
}

static struct text find_field(const struct heard *heard, struct text name)
{
    for (size_t i = 0; i < heard->parameter_count; i++) {
        if (text_equals(heard->parameters[i].name, name))
            return heard->parameters[i].value;
    }
    return (struct text){NULL, 0};
}

size_t place_find_all(struct arena *arena, const struct place *place, const struct heard *heard,
                      struct text *texts, size_t max)
{
    if (max == 0)
        return 0;
    switch (place->kind) {
    case PLACE_JSON:
        return find_in(arena, heard->json, place->name, texts, max);
    case PLACE_FIELD:
        texts[0] = find_field(heard, place->name);
        break;
    case PLACE_HEADER:
        texts[0] = heard->header(heard->source, place->name);
        break;
    case PLACE_BETWEEN:
        texts[0] = find_between(place, heard->body);
        break;
    case PLACE_NONE:
        return 0;
    }
    return texts[0].data != NULL;
}

struct text place_find(struct arena *arena, const struct place *place, const struct heard *heard)
{
    struct text text;

    return place_find_all(arena, place, heard, &text, 1) == 0 ? (struct text){NULL, 0} : text;
}

/* --- conditions ----------------------------------------------------------------------------------
 */

struct condition_body {
    const struct json_value *status, *is;
    struct place_body place;
};

#define CONDITION_TEXT(member, least)                                                              \
    {                                                                                              \
        .name = #member, .kind = JSON_TEXT,                                                        \
        .offset = offsetof(struct condition_body, place.member), .min = (least),                   \
        .max = PLACE_BYTES_MAX                                                                     \
    }

/* The place's own come first, as in place_fields: their bits are the same. */
static const struct json_field condition_fields[] = {
    CONDITION_TEXT(json, 0),
    CONDITION_TEXT(field, 1),
    CONDITION_TEXT(header, 1),
    CONDITION_TEXT(after, 1),
    CONDITION_TEXT(until, 1),
    {.name = "status", .kind = JSON_ANY, .offset = offsetof(struct condition_body, status)},
    {.name = "is", .kind = JSON_ANY, .offset = offsetof(struct condition_body, is)},
};

enum { PLACE_BITS = BIT_JSON | BIT_FIELD | BIT_HEADER | BIT_AFTER | BIT_UNTIL };

/* 200, or "2xx". */
static bool read_status(const struct json_value *value, int *status)
{
    struct json_text text;
    int64_t number;

    if (json_get_int(value, &number) && number >= 200 && number <= 599) {
        *status = (int)number;
        return true;
    }
    if (!json_get_text(value, &text) || text.size != 3 || text.data[0] < '2' ||
        text.data[0] > '5' || memcmp(text.data + 1, "xx", 2) != 0)
        return false;
    *status = text.data[0] - '0';
    return true;
}

static void read_statuses(struct arena *arena, const struct json_value *value, const char *pointer,
                          struct json_errors *errors, struct condition *condition)
{
    const struct json_value *item = json_is_array(value) ? json_array_first(value) : value;

    while (item != NULL) {
        if (condition->status_count == CONDITION_STATUSES_MAX ||
            !read_status(item, &condition->statuses[condition->status_count++])) {
            json_errors_add(
                arena, errors, pointer,
                "must be statuses from 200 to 599 or classes such as \"5xx\", at most 16");
            return;
        }
        item = json_is_array(value) ? json_next(item) : NULL;
    }
}

static void read_texts(struct arena *arena, const struct json_value *value, const char *pointer,
                       struct json_errors *errors, struct condition *condition)
{
    const struct json_value *item = json_is_array(value) ? json_array_first(value) : value;

    while (item != NULL) {
        struct text text = json_as_text(arena, item);
        if (condition->text_count == CONDITION_TEXTS_MAX || text.data == NULL) {
            json_errors_add(arena, errors, pointer,
                            "must be a text or a number, or at most 32 of them");
            return;
        }
        condition->texts[condition->text_count++] =
            (struct text){arena_copy(arena, text.data, text.size), text.size};
        item = json_is_array(value) ? json_next(item) : NULL;
    }
}

void condition_read(struct arena *arena, const struct json_value *value, const char *pointer,
                    struct json_errors *errors, struct condition *condition)
{
    struct condition_body body = {0};
    uint64_t given;

    memset(condition, 0, sizeof *condition);
    if (!json_bind(arena, value, condition_fields, FIELD_COUNT(condition_fields), &body, &given,
                   pointer, errors))
        return;
    if (body.status != NULL)
        read_statuses(arena, body.status, json_pointer_name(arena, pointer, "status"), errors,
                      condition);
    if (body.is != NULL)
        read_texts(arena, body.is, json_pointer_name(arena, pointer, "is"), errors, condition);
    if (given & PLACE_BITS)
        condition->place = place_of(arena, &body.place, given & PLACE_BITS, pointer, errors);
    else if (body.is != NULL || body.status == NULL)
        json_errors_add(arena, errors, pointer, "must name a status, or a place and what it is");
}

static bool status_holds(const struct condition *condition, int status)
{
    for (size_t i = 0; i < condition->status_count; i++) {
        if (condition->statuses[i] == status || condition->statuses[i] == status / 100)
            return true;
    }
    return condition->status_count == 0;
}

bool condition_holds(struct arena *arena, const struct condition *condition,
                     const struct heard *heard)
{
    struct text text;

    if (!status_holds(condition, heard->status))
        return false;
    if (condition->place.kind == PLACE_NONE)
        return true;
    text = place_find(arena, &condition->place, heard);
    for (size_t i = 0; i < condition->text_count; i++) {
        if (text.data != NULL && text_equals(text, condition->texts[i]))
            return true;
    }
    return condition->text_count == 0 && text.data != NULL;
}
