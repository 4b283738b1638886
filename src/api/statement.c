/* The statement's lines in one run of memory, found by a hash of their ids' form (open addressing,
 * half full at the most; lines of one id are chained), and by a list sorted by message once it is
 * settled which of ours each speaks of. */
#include "api/statement.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/command.h"
#include "engine/message.h"
#include "engine/receipt.h"

enum { SLOTS_MIN = 1024 };

void statement_init(struct statement *statement, const struct hash_key *secret, uint64_t product,
                    uint64_t first, uint64_t end, int64_t begun_ms)
{
    memset(statement, 0, sizeof *statement);
    statement->secret = *secret;
    statement->product = product;
    statement->first = first;
    statement->end = end;
    statement->begun_ms = begun_ms;
}

void statement_release(struct statement *statement)
{
    buffer_release(&statement->lines);
    buffer_release(&statement->ids);
    buffer_release(&statement->slots);
    buffer_release(&statement->places);
    buffer_release(&statement->rows);
}

static struct statement_line *line_at(const struct statement *statement, uint32_t place)
{
    assert(place < statement->line_count);
    return (struct statement_line *)(void *)statement->lines.data + place;
}

const struct statement_line *statement_line_at(const struct statement *statement, uint32_t place)
{
    return line_at(statement, place);
}

struct text statement_id(const struct statement *statement, const struct statement_line *line)
{
    return (struct text){statement->ids.data + line->id_at, line->id_size};
}

const char *statement_status_text(enum statement_status status)
{
    static const char *const texts[] = {NULL, "sent", "delivered", "undelivered"};

    return texts[status];
}

enum statement_status statement_status_of(enum message_status status)
{
    switch (status) {
    case MESSAGE_SENT:
        return STATEMENT_SENT;
    case MESSAGE_DELIVERED:
        return STATEMENT_DELIVERED;
    case MESSAGE_UNDELIVERED:
        return STATEMENT_UNDELIVERED;
    default:
        return STATEMENT_SAYS_NOTHING;
    }
}

/* --- by id ---------------------------------------------------------------------------------------
 */

static bool has_form(const struct statement *statement, const struct statement_line *line,
                     struct text form)
{
    char bytes[PROVIDER_ID_MAX];
    size_t size = provider_id_form(statement_id(statement, line), bytes);

    return text_equals((struct text){bytes, size}, form);
}

/* The slot of the form: 0, or the place and 1 of the first line that has it. */
static uint32_t *slot_of(const struct statement *statement, struct text form)
{
    uint32_t *slots = (uint32_t *)(void *)statement->slots.data;
    uint32_t mask = statement->slot_count - 1;
    uint32_t i = (uint32_t)hash64(&statement->secret, form.data, form.size) & mask;

    while (slots[i] != 0 && !has_form(statement, line_at(statement, slots[i] - 1), form))
        i = (i + 1) & mask;
    return &slots[i];
}

static void enter(struct statement *statement, uint32_t place)
{
    struct statement_line *line = line_at(statement, place);
    char bytes[PROVIDER_ID_MAX];
    size_t size = provider_id_form(statement_id(statement, line), bytes);
    uint32_t *slot = slot_of(statement, (struct text){bytes, size});

    line->next = *slot;
    *slot = place + 1;
}

static void grow_slots(struct statement *statement)
{
    uint32_t count = statement->slot_count == 0 ? SLOTS_MIN : 2 * statement->slot_count;

    buffer_release(&statement->slots);
    memset(buffer_reserve(&statement->slots, count * sizeof(uint32_t)), 0,
           count * sizeof(uint32_t));
    statement->slot_count = count;
    for (uint32_t i = 0; i < statement->line_count; i++)
        enter(statement, i);
}

bool statement_add(struct statement *statement, uint32_t line, struct text id,
                   enum statement_status status, int parts)
{
    struct statement_line added = {.id_size = (uint8_t)id.size,
                                   .status = (uint8_t)status,
                                   .has_parts = parts >= 0,
                                   .parts = (uint16_t)(parts < 0 ? 0 : parts),
                                   .id_at = (uint32_t)statement->ids.size,
                                   .line = line};

    assert(id.size > 0 && id.size <= PROVIDER_ID_MAX && parts <= STATEMENT_PARTS_MAX);
    if (statement->line_count == STATEMENT_LINES_MAX)
        return false;
    buffer_append(&statement->ids, id.data, id.size);
    buffer_append(&statement->lines, &added, sizeof added);
    statement->line_count++;
    if (2 * statement->line_count > statement->slot_count)
        grow_slots(statement);
    else
        enter(statement, statement->line_count - 1);
    return true;
}

/* --- ours ----------------------------------------------------------------------------------------
 */

static void link_form(struct statement *statement, enum statement_reading reading, struct text form,
                      const struct provider_id_row *id)
{
    for (uint32_t next = *slot_of(statement, form); next != 0;) {
        struct statement_line *line = line_at(statement, next - 1);
        statement->linked[reading] += line->messages[reading] == 0;
        line->messages[reading] = id->message;
        line->attempts[reading] = id->attempt;
        line->parts_of[reading] = id->part;
        next = line->next;
    }
}

void statement_link(struct statement *statement, struct text form, const struct provider_id_row *id)
{
    char other[PROVIDER_ID_MAX];
    size_t size;

    if (statement->line_count == 0)
        return;
    link_form(statement, READING_SAME, form, id);
    size = provider_id_in_other_radix(form, true, other);
    if (size > 0)
        link_form(statement, READING_DECIMAL, (struct text){other, size}, id);
    size = provider_id_in_other_radix(form, false, other);
    if (size > 0)
        link_form(statement, READING_HEXADECIMAL, (struct text){other, size}, id);
}

static uint64_t message_at(const struct statement *statement, uint32_t place)
{
    return line_at(statement, place)->messages[statement->reading];
}

static int compare_places(const void *a, const void *b, void *context)
{
    const struct statement *statement = context;
    uint32_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    uint64_t of_x = message_at(statement, x), of_y = message_at(statement, y);
    if (of_x != of_y)
        return of_x < of_y ? -1 : 1;
    return (x > y) - (x < y);
}

void statement_settle(struct statement *statement)
{
    for (int reading = READING_SAME + 1; reading < READINGS; reading++) {
        if (statement->linked[reading] > statement->linked[statement->reading])
            statement->reading = (enum statement_reading)reading;
    }
    for (uint32_t i = 0; i < statement->line_count; i++) {
        if (message_at(statement, i) == 0)
            continue;
        buffer_append(&statement->places, &i, sizeof i);
        statement->place_count++;
    }
    if (statement->place_count > 0)
        qsort_r(statement->places.data, statement->place_count, sizeof(uint32_t), compare_places,
                statement);
}

static uint32_t place_at(const struct statement *statement, uint32_t i)
{
    uint32_t place;

    memcpy(&place, statement->places.data + i * sizeof place, sizeof place);
    return place;
}

/* The first of its lines, in the list that is sorted by message. */
static uint32_t lines_of(const struct statement *statement, uint64_t message)
{
    uint32_t low = 0, high = statement->place_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (message_at(statement, place_at(statement, middle)) < message)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- a message -----------------------------------------------------------------------------------
 */

static void note(struct statement_list *list, const struct statement_item *item)
{
    if (list->count < STATEMENT_ITEMS_MAX)
        list->items[list->count] = *item;
    list->count++;
}

/* One more line of a message: what all of them say. */
static void hear(struct statement_item *item, const struct statement_line *line,
                 enum statement_reading reading)
{
    if (line->has_parts)
        item->said_parts += line->parts;
    else
        item->said_parts += line->parts_of[reading] == PROVIDER_ID_WHOLE ? item->parts : 1;
    if (line->status == STATEMENT_UNDELIVERED || item->said == STATEMENT_SAYS_NOTHING)
        item->said = line->status;
    else if (line->status == STATEMENT_SENT && item->said == STATEMENT_DELIVERED)
        item->said = STATEMENT_SENT;
}

/* What became of the attempt that the product has given the id to: an earlier one was not
 * delivered, or there would be no later one. */
static enum message_status status_of(const struct statement *statement,
                                     const struct message_row *row, uint16_t attempt)
{
    if (row->product != statement->product || row->attempts != attempt)
        return MESSAGE_UNDELIVERED;
    return (enum message_status)row->status;
}

static bool is_same(const struct statement_item *item)
{
    return item->parts == item->said_parts &&
           (item->said == STATEMENT_SAYS_NOTHING ||
            item->said == statement_status_of((enum message_status)item->status));
}

/* Should the statement have it? */
static bool is_missed(const struct statement *statement, const struct message_row *row)
{
    return row->product == statement->product && row->number >= statement->first &&
           row->number < statement->end && row->sent_ms <= statement->begun_ms &&
           !(row->flags & MESSAGE_IS_TEST) &&
           statement_status_of((enum message_status)row->status) != STATEMENT_SAYS_NOTHING;
}

static bool has_lines(const struct statement *statement, uint32_t first, uint64_t message)
{
    return first < statement->place_count &&
           message_at(statement, place_at(statement, first)) == message;
}

/* With its lines, from `first` on. */
static void compare(struct statement *statement, const struct message_row *row, uint32_t first)
{
    struct statement_item item = {
        .message = row->number, .parts = row->parts, .line = place_at(statement, first)};
    uint16_t attempt = 0;

    for (uint32_t i = first; has_lines(statement, i, row->number); i++) {
        struct statement_line *line = line_at(statement, place_at(statement, i));
        line->is_met = true;
        hear(&item, line, statement->reading);
        if (line->attempts[statement->reading] > attempt)
            attempt = line->attempts[statement->reading];
    }
    item.status = (uint8_t)status_of(statement, row, attempt);
    if (row->flags & MESSAGE_IS_TEST)
        statement->tests++;
    else if (is_same(&item))
        statement->matched++;
    else
        note(&statement->different, &item);
}

static void miss(struct statement *statement, const struct message_row *row)
{
    note(&statement->only_ours, &(struct statement_item){.message = row->number,
                                                         .status = row->status,
                                                         .parts = row->parts});
}

void statement_message(struct statement *statement, const struct message_row *row)
{
    uint32_t first = lines_of(statement, row->number);

    if (has_lines(statement, first, row->number)) {
        compare(statement, row, first);
        return;
    }
    if (!is_missed(statement, row))
        return;
    miss(statement, row);
    if (row->finished_ms == 0)
        return;
    statement->is_rows_full |= statement->rows.size == STATEMENT_ROWS_MAX * sizeof row->number;
    if (!statement->is_rows_full)
        buffer_append(&statement->rows, &row->number, sizeof row->number);
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static bool was_in_rows(const struct statement *statement, uint64_t message)
{
    return statement->rows.size > 0 &&
           bsearch(&message, statement->rows.data, statement->rows.size / sizeof message,
                   sizeof message, compare_numbers) != NULL;
}

void statement_archived(struct statement *statement, const struct message_row *row)
{
    uint32_t first = lines_of(statement, row->number);

    if (has_lines(statement, first, row->number)) {
        if (!line_at(statement, place_at(statement, first))->is_met)
            compare(statement, row, first);
    } else if (is_missed(statement, row) && !was_in_rows(statement, row->number)) {
        statement->is_too_large |= statement->is_rows_full;
        miss(statement, row);
    }
}

void statement_finish(struct statement *statement)
{
    for (uint32_t i = 0; i < statement->line_count; i++)
        statement->only_theirs += !line_at(statement, i)->is_met;
}
