/* Answers and receipts, by rules and places. Where the configuration is silent the status decides:
 * in doubt whether the provider has taken a message, the answer is that nobody knows. */
#include "gateway/http_answer.h"

#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "json/read.h"

static struct text response_header(const void *source, struct text name)
{
    return http_client_response_header(source, name);
}

static bool looks_like_json(struct text body)
{
    for (size_t i = 0; i < body.size; i++) {
        if ((unsigned char)body.data[i] > ' ')
            return body.data[i] == '{' || body.data[i] == '[';
    }
    return false;
}

void http_heard(struct arena *arena, const struct http_client_response *response,
                struct heard *heard)
{
    const char *why;

    *heard = (struct heard){.status = response->status,
                            .body = response->body,
                            .header = response_header,
                            .source = response};
    if (looks_like_json(response->body))
        heard->json = json_parse(arena, response->body.data, response->body.size, &why);
}

/* --- answers -------------------------------------------------------------------------------------
 */

static enum message_answer answer_of_status(int status)
{
    switch (status) {
    case 429:
        return MESSAGE_THROTTLED;
    case 401: /* these are the operator's to put right, not the message's fault */
    case 403:
    case 404:
    case 405:
    case 407:
        return MESSAGE_RETRY;
    case 408: /* these say that somebody behind was asked, and not what it said */
    case 502:
    case 504:
        return MESSAGE_UNKNOWN;
    default:
        break;
    }
    if (status >= 200 && status <= 299)
        return MESSAGE_ACCEPTED;
    return status >= 400 && status <= 499 ? MESSAGE_REFUSED : MESSAGE_RETRY;
}

static enum message_answer judge(struct arena *arena, const struct http_answer *answer,
                                 const struct heard *heard)
{
    for (size_t i = 0; i < answer->rule_count; i++) {
        if (condition_holds(arena, &answer->rules[i].when, heard))
            return answer->rules[i].result;
    }
    return answer_of_status(heard->status);
}

/* The item of a batch's answer that is about this message; NULL: none is. */
static const struct json_value *find_item(struct arena *arena, const struct http_answer *answer,
                                          const struct heard *heard, size_t index,
                                          struct text reference)
{
    const struct json_value *item = heard_items(heard, answer->items.at);

    for (size_t i = 0; item != NULL; item = json_next(item), i++) {
        struct heard one = *heard;
        one.json = item;
        if (answer->reference.kind == PLACE_NONE
                ? i == index
                : text_equals(place_find(arena, &answer->reference, &one), reference))
            return item;
    }
    return NULL;
}

static struct text cut(struct text text, size_t max)
{
    if (text.size > max)
        text.size = max;
    return text;
}

/* Ids that are longer than any that can be kept, or empty, are none. */
static size_t keep_ids(struct text *ids, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (ids[i].size > 0 && ids[i].size <= PROVIDER_ID_MAX)
            ids[kept++] = ids[i];
    }
    return kept;
}

void http_said(struct arena *arena, const struct http_answer *answer, const struct heard *heard,
               size_t index, size_t count, struct text reference, struct said *said)
{
    struct text *ids = arena_alloc(arena, MESSAGE_PARTS_MAX * sizeof *ids);
    struct heard one = *heard;
    bool is_about_one = count == 1 && !answer->items.are_given;

    if (answer->items.are_given) {
        const struct json_value *item = find_item(arena, answer, heard, index, reference);
        if (item != NULL)
            one.json = item;
        is_about_one = item != NULL;
    }
    *said = (struct said){.answer = judge(arena, answer, &one), .ids = ids};
    said->id_count =
        keep_ids(ids, place_find_all(arena, &answer->id, &one, ids, MESSAGE_PARTS_MAX));
    if (answer->is_id_ours) {
        ids[0] = reference;
        said->id_count = 1;
    }
    said->detail = cut(place_find(arena, &answer->error, &one), MESSAGE_DETAIL_MAX);
    /* It should have been named, or told apart from the others, and was not. */
    if (said->answer == MESSAGE_ACCEPTED &&
        ((answer->id.kind != PLACE_NONE && said->id_count == 0) ||
         (answer->items.are_given && !is_about_one)))
        said->answer = MESSAGE_UNKNOWN;
    if (said->answer != MESSAGE_ACCEPTED || !(is_about_one || answer->is_id_ours))
        said->id_count = 0;
}

void http_said_error(const struct http_client_response *response, struct said *said)
{
    const char *name = http_client_error_name(response->error);

    *said = (struct said){.detail = {name, strlen(name)}};
    if (response->was_sent)
        said->answer = MESSAGE_UNKNOWN;
    else if (response->error == HTTP_CLIENT_OVERLOADED)
        said->answer = MESSAGE_THROTTLED;
    else
        said->answer = MESSAGE_RETRY;
}

/* --- receipts ------------------------------------------------------------------------------------
 */

static enum receipt_status status_of(const struct http_receipts *receipts, struct text word)
{
    for (size_t i = 0; i < receipts->word_count; i++) {
        struct text known = receipts->words[i].word;
        if (known.size == word.size && strncasecmp(known.data, word.data, word.size) == 0)
            return receipts->words[i].status;
    }
    return receipts->otherwise;
}

static bool read_one(struct arena *arena, const struct http_receipts *receipts,
                     const struct heard *heard, struct heard_receipt *found)
{
    struct text word = place_find(arena, &receipts->status, heard);

    if (word.data == NULL)
        return false;
    *found = (struct heard_receipt){
        .id = place_find(arena, &receipts->id, heard),
        .detail = cut(place_find(arena, &receipts->error, heard), MESSAGE_DETAIL_MAX),
        .status = status_of(receipts, word)};
    return found->id.size <= PROVIDER_ID_MAX;
}

size_t http_receipts(struct arena *arena, const struct http_receipts *receipts,
                     const struct heard *heard, struct heard_receipt *found, size_t max)
{
    const struct json_value *item;
    size_t count = 0;

    if (!receipts->items.are_given)
        return max > 0 && read_one(arena, receipts, heard, found);
    for (item = heard_items(heard, receipts->items.at); item != NULL && count < max;
         item = json_next(item)) {
        struct heard one = *heard;
        one.json = item;
        count += read_one(arena, receipts, &one, &found[count]);
    }
    return count;
}
