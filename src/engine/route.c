/* Choosing a route (SMS-2). Each route of a group has a credit: with every message it grows by the
 * route's share, and what is chosen pays a whole message. Of those that have credit, the one goes
 * first whose next message is due earliest: earliest deadline first over unit jobs, each released
 * when its predecessor's time is over, never lets a route get further than one message from its
 * share, whatever the weights. (Taking the largest credit, the usual smooth round robin, drifts
 * further with many unequal weights.) So over any messages in a row each gets its share to within
 * two.
 *
 * Routes that cannot be used just now neither gain nor pay: they come back to where they were.
 * Messages that were tried before have a state of their own: what failed elsewhere and is shared
 * out among the rest would otherwise be missing from the proportion of the others. Credits are in
 * 2^-40 of a message and always sum to what they summed to before. */
#include "engine/route.h"

#include <assert.h>
#include <string.h>

#include "engine/catalog_index.h"
#include "engine/handler.h"

#define MESSAGE (INT64_C(1) << 40)

/* Routes of the same sort that can take the message. */
struct field {
    size_t count;
    const struct route_member *members[ROUTES_PER_GROUP_MAX];
    struct {
        int64_t price;
        uint16_t part_length;
        bool is_signature_supported;
    } terms[ROUTES_PER_GROUP_MAX];
};

struct state {
    size_t count;
    struct route_turn turns[ROUTES_PER_GROUP_MAX];
};

struct wish {
    struct txn *txn;
    unsigned country_bit;
    const uint64_t *tried;
    size_t tried_count;
};

static bool was_tried(const struct wish *wish, uint64_t product)
{
    for (size_t i = 0; i < wish->tried_count; i++) {
        if (wish->tried[i] == product)
            return true;
    }
    return false;
}

static bool serves(const struct product_row *product, unsigned bit)
{
    return (product->flags & PRODUCT_SERVES_ALL) || (product->countries[bit / 8] >> bit % 8 & 1);
}

static bool can_take(const struct wish *wish, const struct route_member *member,
                     struct product_row *product)
{
    if (!(member->flags & ROUTE_IS_ENABLED) || was_tried(wish, member->product))
        return false;
    if (!product_find(wish->txn, member->product, product))
        assert(!"a route without its product");
    return (product->flags & PRODUCT_IS_ENABLED) && serves(product, wish->country_bit) &&
           (!(product->flags & PRODUCT_IS_COUNTED) || product->quota > 0);
}

static bool is_spared(const struct product_row *product)
{
    return (product->flags & PRODUCT_IS_COUNTED) && product->quota < product->low_switch;
}

static void enter(struct field *field, const struct route_member *member,
                  const struct product_row *product)
{
    field->members[field->count] = member;
    field->terms[field->count].price = product->price;
    field->terms[field->count].part_length = product->part_length;
    field->terms[field->count].is_signature_supported = product->flags & PRODUCT_HAS_SIGNATURE;
    field->count++;
}

/* The lowest sort with a product that need not be spared; if there is none, the lowest that can
 * take it at all. */
static void gather(const struct wish *wish, const struct route_group *group, struct field *field)
{
    struct field spared;

    field->count = spared.count = 0;
    for (size_t i = 0; i < group->count; i++) {
        const struct route_member *member = &group->members[i];
        struct product_row product;
        if (field->count > 0 && field->members[0]->sort != member->sort)
            break;
        if (!can_take(wish, member, &product))
            continue;
        if (!is_spared(&product))
            enter(field, member, &product);
        else if (spared.count == 0 || spared.members[0]->sort == member->sort)
            enter(&spared, member, &product);
    }
    if (field->count == 0)
        *field = spared;
}

/* --- turns ---------------------------------------------------------------------------------------
 */

static void state_read(struct txn *txn, const char *key, size_t key_size, struct state *state)
{
    size_t size;
    const void *value = txn_get(txn, TABLE_ROUTE_STATE, key, key_size, &size);

    state->count = 0;
    if (value == NULL)
        return;
    assert(size % sizeof *state->turns == 0 && size <= sizeof state->turns);
    memcpy(state->turns, value, size);
    state->count = size / sizeof *state->turns;
}

static int64_t *credit_of(struct state *state, uint64_t route)
{
    size_t i = 0;

    while (i < state->count && state->turns[i].route != route)
        i++;
    if (i == state->count) {
        /* Who leaves a group takes its state along: none has more turns than routes. */
        assert(state->count < ROUTES_PER_GROUP_MAX);
        state->turns[state->count++] = (struct route_turn){.route = route};
    }
    return &state->turns[i].credit;
}

/* How many messages from now the next one of this route is due at the latest. */
static int64_t deadline(int64_t credit, int64_t share)
{
    return credit >= MESSAGE ? 0 : (MESSAGE - credit + share - 1) / share;
}

static bool goes_before(int64_t credit_a, int64_t share_a, int64_t credit_b, int64_t share_b)
{
    int64_t a, b;

    if ((credit_a > 0) != (credit_b > 0))
        return credit_a > 0;
    if (credit_a <= 0)
        return credit_a > credit_b;
    a = deadline(credit_a, share_a);
    b = deadline(credit_b, share_b);
    return a != b ? a < b : credit_a > credit_b;
}

/* Gives every one its share of a message, and takes the message from the one that is chosen. */
static size_t take_turn(struct state *state, const struct field *field)
{
    int64_t shares[ROUTES_PER_GROUP_MAX], total = 0, given = 0;
    int64_t *credits[ROUTES_PER_GROUP_MAX];
    size_t best = 0;

    for (size_t i = 0; i < field->count; i++)
        total += field->members[i]->weight;
    for (size_t i = 0; i < field->count; i++) {
        shares[i] = field->members[i]->weight * MESSAGE / total;
        given += shares[i];
    }
    shares[0] += MESSAGE - given; /* what rounding left */
    for (size_t i = 0; i < field->count; i++) {
        credits[i] = credit_of(state, field->members[i]->route);
        *credits[i] += shares[i];
    }
    for (size_t i = 1; i < field->count; i++) {
        if (goes_before(*credits[i], shares[i], *credits[best], shares[best]))
            best = i;
    }
    *credits[best] -= MESSAGE;
    return best;
}

/* Among several; `key` is the group's. */
static size_t choose_by_turn(const struct wish *wish, const struct field *field, const char *key,
                             size_t key_size, bool is_kept)
{
    char state_key[ROUTE_KEY_MAX];
    struct state state;
    size_t chosen;

    memcpy(state_key, key, key_size);
    if (wish->tried_count > 0)
        state_key[0] |= ROUTE_STATE_OF_RETRIES;
    state_read(wish->txn, state_key, key_size, &state);
    chosen = take_turn(&state, field);
    if (is_kept)
        txn_put(wish->txn, TABLE_ROUTE_STATE, state_key, key_size, state.turns,
                state.count * sizeof *state.turns);
    return chosen;
}

static enum outcome choose(const struct wish *wish, const char *key, size_t key_size, bool is_kept,
                           struct route_choice *choice)
{
    struct route_group group;
    struct field field;
    size_t chosen = 0;

    route_group_read(wish->txn, key, key_size, &group);
    gather(wish, &group, &field);
    if (field.count == 0)
        return OUTCOME_NO_ROUTE;
    if (field.count > 1) /* one alone gains what it pays */
        chosen = choose_by_turn(wish, &field, key, key_size, is_kept);
    choice->route = field.members[chosen]->route;
    choice->product = field.members[chosen]->product;
    choice->failover_on_undelivered = field.members[chosen]->flags & ROUTE_HAS_FAILOVER;
    choice->price = field.terms[chosen].price;
    choice->part_length = field.terms[chosen].part_length;
    choice->is_signature_supported = field.terms[chosen].is_signature_supported;
    return OUTCOME_OK;
}

static enum outcome choose_for(struct txn *txn, struct text company, struct text country,
                               enum route_kind kind, const uint64_t *tried, size_t tried_count,
                               bool is_kept, struct route_choice *choice)
{
    struct wish wish = {txn, 0, tried, tried_count};
    char key[ROUTE_KEY_MAX];

    if (company.size == 0 || company.size > CATALOG_ID_MAX)
        return OUTCOME_NO_ROUTE;
    wish.country_bit = country_bit(country);
    return choose(&wish, key, route_group_key(key, kind, country, company), is_kept, choice);
}

enum outcome route_choose(struct engine *engine, struct text company, struct text country,
                          enum route_kind kind, const uint64_t *tried, size_t tried_count,
                          struct route_choice *choice)
{
    return choose_for(engine->txn, company, country, kind, tried, tried_count, true, choice);
}

enum outcome route_preview(struct txn *txn, struct text company, struct text country,
                           enum route_kind kind, const uint64_t *tried, size_t tried_count,
                           struct route_choice *choice)
{
    return choose_for(txn, company, country, kind, tried, tried_count, false, choice);
}
