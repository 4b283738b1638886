/* A table by packet, in which a newer packet takes the place of an older one, each with a Bloom
 * filter of the users who have a share: "not in it" is certain, and then an empty packet is empty
 * for that user; "in it" is for the engine to say. An entry counts the shares that it was told of,
 * and says that the packet is empty when it was told of them all, in order, from the first. */
#include "api/packet_gate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/entropy.h"

enum { ENTRIES = 4096, FILTER_BITS_PER_SHARE = 8, FILTER_PROBES = 3 };

struct entry {
    uint64_t packet; /* 0: free */
    int64_t expires_ms;
    uint32_t count, taken;
    char currency[3];
    uint8_t filter_bits_log;
    uint64_t *filter;
};

struct packet_gate {
    struct hash_key secret;
    size_t bytes; /* of all filters */
    struct entry entries[ENTRIES];
};

struct packet_gate *packet_gate_new(void)
{
    struct packet_gate *gate = calloc(1, sizeof *gate);

    assert(gate != NULL);
    entropy_fill(&gate->secret, sizeof gate->secret);
    return gate;
}

static size_t filter_bytes(const struct entry *entry)
{
    return (size_t)1 << (entry->filter_bits_log - 3);
}

static void forget(struct packet_gate *gate, struct entry *entry)
{
    if (entry->packet == 0)
        return;
    gate->bytes -= filter_bytes(entry);
    free(entry->filter);
    *entry = (struct entry){.packet = 0};
}

void packet_gate_free(struct packet_gate *gate)
{
    for (size_t i = 0; i < ENTRIES; i++)
        forget(gate, &gate->entries[i]);
    free(gate);
}

/* A packet's number has its time above and a counter below: both go into its place. */
static size_t place(uint64_t packet)
{
    return packet * UINT64_C(0x9e3779b97f4a7c15) >> 52;
}

static_assert(ENTRIES == 1 << (64 - 52), "place() gives each of them");

/* Bits of a user: three numbers from one hash. */
static uint64_t probe(const struct entry *entry, uint64_t hash, int number)
{
    uint64_t mask = ((uint64_t)1 << entry->filter_bits_log) - 1;
    return (hash + (uint64_t)number * (hash >> 32 | 1)) & mask;
}

static void filter_add(struct entry *entry, uint64_t hash)
{
    for (int i = 0; i < FILTER_PROBES; i++) {
        uint64_t bit = probe(entry, hash, i);
        entry->filter[bit / 64] |= (uint64_t)1 << bit % 64;
    }
}

static bool filter_has(const struct entry *entry, uint64_t hash)
{
    for (int i = 0; i < FILTER_PROBES; i++) {
        uint64_t bit = probe(entry, hash, i);
        if (!(entry->filter[bit / 64] >> bit % 64 & 1))
            return false;
    }
    return true;
}

static void begin(struct packet_gate *gate, struct entry *entry, uint64_t packet,
                  const struct grab_result *grab)
{
    forget(gate, entry);
    *entry = (struct entry){.packet = packet,
                            .expires_ms = grab->expires_ms,
                            .count = grab->count,
                            .filter_bits_log = 6};
    memcpy(entry->currency, grab->currency, sizeof entry->currency);
    while ((uint64_t)1 << entry->filter_bits_log < (uint64_t)grab->count * FILTER_BITS_PER_SHARE)
        entry->filter_bits_log++;
    if (gate->bytes + filter_bytes(entry) > PACKET_GATE_BYTES_MAX) {
        *entry = (struct entry){.packet = 0};
        return;
    }
    gate->bytes += filter_bytes(entry);
    entry->filter = calloc(1, filter_bytes(entry));
    assert(entry->filter != NULL);
}

void packet_gate_note(struct packet_gate *gate, uint64_t packet, struct text user,
                      const struct grab_result *grab)
{
    struct entry *entry = &gate->entries[place(packet)];

    /* Who may take an exclusive one is not known here, and comes before emptiness (PKT-7). */
    if (grab->kind == PACKET_EXCLUSIVE)
        return;
    if (grab->share == 0)
        begin(gate, entry, packet, grab);
    if (entry->packet != packet || entry->taken != grab->share)
        return;
    entry->taken++;
    filter_add(entry, hash64(&gate->secret, user.data, user.size));
}

enum outcome packet_gate_check(const struct packet_gate *gate, uint64_t packet, struct text user,
                               int64_t now_ms, const char **currency)
{
    const struct entry *entry = &gate->entries[place(packet)];

    if (entry->packet != packet || packet == 0)
        return OUTCOME_OK;
    if (now_ms >= entry->expires_ms)
        return OUTCOME_PACKET_EXPIRED;
    if (entry->taken < entry->count ||
        filter_has(entry, hash64(&gate->secret, user.data, user.size)))
        return OUTCOME_OK;
    *currency = entry->currency;
    return OUTCOME_PACKET_EMPTY;
}
