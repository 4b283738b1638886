/* See chain.h. The number comes first, in the place of the row's `chain`, so that an entry without
 * a long reference is one block. */
#include "engine/chain.h"

#include <assert.h>
#include <string.h>

#include "engine/command.h"

void chain_init(struct chain *chain)
{
    struct sha256 sha;

    sha256_init(&sha);
    memcpy(chain->state, sha.state, sizeof chain->state);
}

uint64_t chain_step(struct chain *chain, uint64_t number, const struct entry_row *row,
                    const char *reference)
{
    struct {
        struct entry_row row;
        char reference[REFERENCE_MAX];
    } bytes;
    size_t size = sizeof bytes.row + row->reference_size;
    size_t blocks = (size + 63) / 64;
    uint64_t first;

    static_assert(sizeof bytes % 64 == 0, "padding stays inside");
    bytes.row = *row;
    bytes.row.chain = number;
    if (row->reference_size > 0)
        memcpy(bytes.reference, reference, row->reference_size);
    memset((char *)&bytes + size, 0, blocks * 64 - size);
    sha256_compress(chain->state, &bytes, blocks);
    memcpy(&first, chain->state, sizeof first);
    return first;
}
