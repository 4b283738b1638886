/* The breaker's three states. Attempts that were under way when it changed say nothing of the state
 * it changed to: the epoch keeps them apart. */
#include "gateway/circuit.h"

#include <assert.h>

void circuit_init(struct circuit *circuit, const struct circuit_options *options)
{
    *circuit = (struct circuit){.options = *options};
}

static void enter(struct circuit *circuit, enum circuit_state state, int64_t now_ms)
{
    circuit->state = state;
    circuit->epoch++;
    circuit->in_a_row = circuit->attempts = circuit->failed = 0;
    circuit->probes_succeeded = 0;
    circuit->is_probing = false;
    if (state == CIRCUIT_OPEN)
        circuit->opened_ms = now_ms;
}

bool circuit_allows(struct circuit *circuit, int64_t now_ms)
{
    if (circuit->state == CIRCUIT_CLOSED)
        return true;
    if (circuit->state == CIRCUIT_OPEN)
        return now_ms >= circuit->opened_ms + circuit->options.open_ms;
    return !circuit->is_probing;
}

uint64_t circuit_begin(struct circuit *circuit)
{
    if (circuit->state == CIRCUIT_OPEN)
        enter(circuit, CIRCUIT_HALF_OPEN, 0);
    if (circuit->state == CIRCUIT_HALF_OPEN) {
        assert(!circuit->is_probing);
        circuit->is_probing = true;
    }
    return circuit->epoch;
}

/* Every `of` attempts the count begins again with half of what it was, so that it follows. */
static bool has_too_many_failures(struct circuit *circuit)
{
    const struct circuit_options *options = &circuit->options;
    bool is_so = circuit->in_a_row >= options->failures;

    if (circuit->attempts >= options->of) {
        is_so = is_so ||
                (uint64_t)circuit->failed * 100 >= (uint64_t)circuit->attempts * options->percent;
        circuit->attempts /= 2;
        circuit->failed /= 2;
    }
    return is_so;
}

static bool end_probe(struct circuit *circuit, bool is_failure, int64_t now_ms)
{
    circuit->is_probing = false;
    if (is_failure)
        enter(circuit, CIRCUIT_OPEN, now_ms);
    else if (++circuit->probes_succeeded == CIRCUIT_PROBES)
        enter(circuit, CIRCUIT_CLOSED, now_ms);
    else
        return false;
    return true;
}

bool circuit_end(struct circuit *circuit, uint64_t epoch, bool is_failure, int64_t now_ms)
{
    if (epoch != circuit->epoch)
        return false;
    if (circuit->state == CIRCUIT_HALF_OPEN)
        return end_probe(circuit, is_failure, now_ms);
    circuit->attempts++;
    circuit->failed += is_failure;
    circuit->in_a_row = is_failure ? circuit->in_a_row + 1 : 0;
    if (!has_too_many_failures(circuit))
        return false;
    enter(circuit, CIRCUIT_OPEN, now_ms);
    return true;
}

int64_t circuit_next_ms(const struct circuit *circuit)
{
    return circuit->state == CIRCUIT_OPEN ? circuit->opened_ms + circuit->options.open_ms
                                          : INT64_MAX;
}

const char *circuit_state_name(enum circuit_state state)
{
    static const char *const names[] = {"closed", "half_open", "open"};

    return names[state];
}
