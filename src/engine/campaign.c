/* Rows of campaigns. What changes is one fixed row, rewritten with each step of each of its
 * messages: hot, and therefore small. Texts are written once, in pieces, since together they may
 * be larger than a value. A recipient's row is keyed by campaign and number: that one number stands
 * once in a campaign needs no further index. */
#include "engine/campaign.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/handler.h"

static const char *const statuses[] = {
#define CAMPAIGN_STATUS(name, number, text, told) [number] = text,
#include "engine/campaign_status.def"
#undef CAMPAIGN_STATUS
};

enum { STATUSES = sizeof statuses / sizeof *statuses };

const char *campaign_status_text(enum campaign_status status)
{
    return statuses[status];
}

enum campaign_status campaign_status_parse(struct text text)
{
    for (size_t i = 1; i < STATUSES; i++) {
        if (text_equals(text, (struct text){statuses[i], strlen(statuses[i])}))
            return (enum campaign_status)i;
    }
    return 0;
}

uint32_t campaign_left(const struct campaign_row *row)
{
    return row->recipients - row->submitted - row->refused;
}

uint32_t campaign_waiting(const struct campaign_row *row)
{
    bool is_under_way = row->status == CAMPAIGN_SCHEDULED || row->status == CAMPAIGN_RUNNING ||
                        row->status == CAMPAIGN_PAUSED;

    return is_under_way ? campaign_left(row) : 0;
}

uint32_t campaign_ahead(const struct campaign_row *row)
{
    return row->waiting - row->held_back;
}

/* --- the campaign --------------------------------------------------------------------------------
 */

bool campaign_row_read(const void *value, size_t size, struct campaign_row *row)
{
    if (size != sizeof *row)
        return false;
    memcpy(row, value, size);
    return row->version == CAMPAIGN_ROW_VERSION;
}

bool campaign_find(struct txn *txn, uint64_t number, struct campaign_row *row)
{
    char key[8];
    size_t size;
    const void *value;
    bool is_whole;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_CAMPAIGN, key, sizeof key, &size);
    if (value == NULL)
        return false;
    is_whole = campaign_row_read(value, size, row);
    assert(is_whole && row->number == number);
    return true;
}

void campaign_store(struct engine *engine, const struct campaign_row *row)
{
    char key[8];

    bytes_put_u64_be(key, row->number);
    txn_put(engine->txn, TABLE_CAMPAIGN, key, sizeof key, row, sizeof *row);
}

/* --- its texts -----------------------------------------------------------------------------------
 */

static void piece_key(char key[9], uint64_t number, size_t piece)
{
    bytes_put_u64_be(key, number);
    key[8] = (char)piece;
}

/* The texts in their order. */
enum { TEXTS = 8 };

static void texts_of(struct campaign_text *text, struct text *texts[TEXTS])
{
    struct text *all[TEXTS] = {&text->company,
                               &text->template,
                               &text->name,
                               &text->signature,
                               &text->content,
                               &text->callback_url,
                               &text->message_callback_url,
                               &text->params};

    memcpy(texts, all, sizeof all);
}

void campaign_text_store(struct engine *engine, uint64_t number, struct campaign_text *text)
{
    char value[sizeof text->row + sizeof text->bytes], key[9];
    struct text *texts[TEXTS];
    size_t size = sizeof text->row;

    text->row = (struct campaign_text_row){.version = CAMPAIGN_ROW_VERSION,
                                           .company_size = (uint8_t)text->company.size,
                                           .template_size = (uint8_t)text->template.size,
                                           .name_size = (uint8_t)text->name.size,
                                           .signature_size = (uint8_t)text->signature.size,
                                           .content_size = (uint16_t)text->content.size,
                                           .callback_size = (uint16_t)text->callback_url.size,
                                           .message_callback_size =
                                               (uint16_t)text->message_callback_url.size,
                                           .params_size = (uint16_t)text->params.size};
    memcpy(value, &text->row, sizeof text->row);
    texts_of(text, texts);
    for (int i = 0; i < TEXTS; i++) {
        if (texts[i]->size > 0)
            memcpy(value + size, texts[i]->data, texts[i]->size);
        size += texts[i]->size;
    }
    for (size_t at = 0, piece = 0; at < size; at += CAMPAIGN_PIECE_MAX, piece++) {
        size_t left = size - at;
        piece_key(key, number, piece);
        txn_put(engine->txn, TABLE_CAMPAIGN_TEXT, key, sizeof key, value + at,
                left < CAMPAIGN_PIECE_MAX ? left : CAMPAIGN_PIECE_MAX);
    }
}

static const char *take(const char *from, size_t size, struct text *text)
{
    *text = (struct text){from, size};
    return from + size;
}

void campaign_text_find(struct txn *txn, uint64_t number, struct campaign_text *text)
{
    const struct campaign_text_row *row = &text->row;
    const char *at = text->bytes;
    size_t size = 0, piece_size;
    char key[9];

    for (size_t piece = 0;; piece++) {
        const char *value;
        size_t skipped = piece == 0 ? sizeof *row : 0;
        piece_key(key, number, piece);
        value = txn_get(txn, TABLE_CAMPAIGN_TEXT, key, sizeof key, &piece_size);
        if (value == NULL)
            break;
        assert(piece_size >= skipped && size + piece_size - skipped <= sizeof text->bytes);
        memcpy(&text->row, value, skipped);
        memcpy(text->bytes + size, value + skipped, piece_size - skipped);
        size += piece_size - skipped;
        if (piece_size < CAMPAIGN_PIECE_MAX)
            break;
    }
    at = take(at, row->company_size, &text->company);
    at = take(at, row->template_size, &text->template);
    at = take(at, row->name_size, &text->name);
    at = take(at, row->signature_size, &text->signature);
    at = take(at, row->content_size, &text->content);
    at = take(at, row->callback_size, &text->callback_url);
    at = take(at, row->message_callback_size, &text->message_callback_url);
    at = take(at, row->params_size, &text->params);
    assert(row->version == CAMPAIGN_ROW_VERSION && at == text->bytes + size);
}

/* --- parameters ----------------------------------------------------------------------------------
 */

size_t campaign_params_size(const struct template_param *params, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += 3 + params[i].name.size + params[i].value.size;
    return size;
}

void campaign_params_write(char *to, const struct template_param *params, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t value_size = (uint16_t)params[i].value.size;
        *to = (char)params[i].name.size;
        memcpy(to + 1, &value_size, sizeof value_size);
        to += 3;
        memcpy(to, params[i].name.data, params[i].name.size);
        to += params[i].name.size;
        if (value_size > 0)
            memcpy(to, params[i].value.data, value_size);
        to += value_size;
    }
}

size_t campaign_params_read(struct text encoded, struct template_param params[TEMPLATE_NAMES_MAX])
{
    const char *at = encoded.data, *end = at + encoded.size;
    size_t count = 0;

    for (; at < end; count++) {
        uint16_t value_size;
        size_t name_size = (uint8_t)*at;
        assert(count < TEMPLATE_NAMES_MAX);
        memcpy(&value_size, at + 1, sizeof value_size);
        at = take(at + 3, name_size, &params[count].name);
        at = take(at, value_size, &params[count].value);
    }
    assert(at == end);
    return count;
}

static bool has_name(const struct template_param *params, size_t count, struct text name)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equals(params[i].name, name))
            return true;
    }
    return false;
}

bool campaign_params_join(const struct template_param *own, size_t own_count,
                          struct text encoded_common,
                          struct template_param params[TEMPLATE_NAMES_MAX], size_t *count)
{
    struct template_param common[TEMPLATE_NAMES_MAX];
    size_t common_count = campaign_params_read(encoded_common, common);

    if (own_count > TEMPLATE_NAMES_MAX)
        return false;
    if (own_count > 0)
        memcpy(params, own, own_count * sizeof *own);
    *count = own_count;
    for (size_t i = 0; i < common_count; i++) {
        if (has_name(own, own_count, common[i].name))
            continue;
        if (*count == TEMPLATE_NAMES_MAX)
            return false;
        params[(*count)++] = common[i];
    }
    return true;
}

/* --- recipients and errors -----------------------------------------------------------------------
 */

void campaign_key(char key[CAMPAIGN_KEY_SIZE], uint64_t campaign, uint64_t of)
{
    bytes_put_u64_be(key, campaign);
    bytes_put_u64_be(key + 8, of);
}

bool campaign_recipient_read(const void *key, size_t key_size, const void *value, size_t size,
                             struct campaign_recipient *recipient)
{
    struct campaign_recipient_row *row = &recipient->row;
    const char *at = (const char *)value + sizeof *row;

    if (key_size != CAMPAIGN_KEY_SIZE || size < sizeof *row)
        return false;
    memcpy(row, value, sizeof *row);
    if (size != sizeof *row + row->reference_size + row->params_size)
        return false;
    recipient->to = bytes_get_u64_be((const char *)key + 8);
    at = take(at, row->reference_size, &recipient->client_reference);
    take(at, row->params_size, &recipient->params);
    return row->version == CAMPAIGN_ROW_VERSION;
}

void campaign_recipient_store(struct engine *engine, uint64_t campaign,
                              const struct campaign_recipient *recipient)
{
    struct campaign_recipient_row row = recipient->row;
    char key[CAMPAIGN_KEY_SIZE], value[sizeof row + REFERENCE_MAX + CAMPAIGN_PARAMS_BYTES];
    size_t size = sizeof row;

    row.version = CAMPAIGN_ROW_VERSION;
    row.reference_size = (uint8_t)recipient->client_reference.size;
    row.params_size = (uint16_t)recipient->params.size;
    assert(row.reference_size <= REFERENCE_MAX && row.params_size <= CAMPAIGN_PARAMS_BYTES);
    memcpy(value, &row, sizeof row);
    if (row.reference_size > 0)
        memcpy(value + size, recipient->client_reference.data, row.reference_size);
    size += row.reference_size;
    if (row.params_size > 0)
        memcpy(value + size, recipient->params.data, row.params_size);
    size += row.params_size;
    campaign_key(key, campaign, recipient->to);
    txn_put(engine->txn, TABLE_CAMPAIGN_RECIPIENT, key, sizeof key, value, size);
}

bool campaign_error_read(const void *key, size_t key_size, const void *value, size_t size,
                         struct campaign_error *error)
{
    struct campaign_error_row *row = &error->row;
    const char *at = (const char *)value + sizeof *row;

    if (key_size != CAMPAIGN_KEY_SIZE || size < sizeof *row)
        return false;
    memcpy(row, value, sizeof *row);
    if (size != sizeof *row + row->to_size + row->field_size + row->detail_size)
        return false;
    error->number = bytes_get_u64_be((const char *)key + 8);
    at = take(at, row->to_size, &error->to);
    at = take(at, row->field_size, &error->field);
    take(at, row->detail_size, &error->detail);
    return row->version == CAMPAIGN_ROW_VERSION;
}

enum { ERROR_TEXTS = 3 };

uint64_t campaign_error_store(struct engine *engine, struct campaign_row *campaign,
                              const struct campaign_error *error)
{
    struct campaign_error_row row = error->row;
    char key[CAMPAIGN_KEY_SIZE], value[sizeof row + CAMPAIGN_ERROR_TO_MAX +
                                       CAMPAIGN_ERROR_FIELD_MAX + CAMPAIGN_ERROR_DETAIL_MAX];
    const struct text *texts[ERROR_TEXTS] = {&error->to, &error->field, &error->detail};
    size_t size = sizeof row;
    uint64_t number;

    if (campaign->error_count >= CAMPAIGN_ERRORS_MAX)
        return 0;
    campaign->error_count++;
    row.version = CAMPAIGN_ROW_VERSION;
    row.to_size = (uint8_t)error->to.size;
    row.field_size = (uint8_t)error->field.size;
    row.detail_size = (uint8_t)error->detail.size;
    memcpy(value, &row, sizeof row);
    for (int i = 0; i < ERROR_TEXTS; i++) {
        assert(size + texts[i]->size <= sizeof value);
        if (texts[i]->size > 0)
            memcpy(value + size, texts[i]->data, texts[i]->size);
        size += texts[i]->size;
    }
    number = engine_next_number(engine);
    campaign_key(key, campaign->number, number);
    txn_put(engine->txn, TABLE_CAMPAIGN_ERROR, key, sizeof key, value, size);
    return number;
}
