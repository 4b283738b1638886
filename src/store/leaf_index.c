/* The index of leaf pages, see leaf_index.h. LMDB's page: 16 bytes of header (number 8, 2 unused,
 * flags 2, end of the offsets 2, begin of the nodes 2), offsets of the nodes (2 each), nodes (size
 * or page, low and high half 2 each, flags 2, key size 2, key, value). In a branch page the first
 * node's key does not count. */
#include "store/leaf_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "store/key_order.h"

enum {
    FANOUT = 16,
    LEAVES_MIN = 64, /* below that LMDB's way is short and in the cache */
    HEADER_BYTES = 16,
    NODE_BYTES = 8,
    PAGE_BRANCH = 1,
    PAGE_LEAF = 2,
    NODE_BIG = 1, /* the value is the number of an overflow page */
    PREFETCHED = 8,
};

struct page {
    const char *start;
    size_t nodes;
};

struct node {
    uint16_t low, high, flags, key_size;
    const char *key;
};

static uint16_t load16(const char *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static bool open_page(const struct leaf_index_table *of, uint64_t number, unsigned kind,
                      struct page *page)
{
    if (number >= of->pages)
        return false;
    page->start = of->map + number * of->page_bytes;
    size_t end = load16(page->start + 12);
    if ((load16(page->start + 10) & (PAGE_BRANCH | PAGE_LEAF)) != kind || end < HEADER_BYTES ||
        end > of->page_bytes)
        return false;
    page->nodes = (end - HEADER_BYTES) / 2;
    return true;
}

static size_t node_offset(const struct page *page, size_t place)
{
    return load16(page->start + HEADER_BYTES + 2 * place);
}

static bool open_node(const struct leaf_index_table *of, const struct page *page, size_t place,
                      struct node *node)
{
    size_t offset = node_offset(page, place);
    if (offset + NODE_BYTES > of->page_bytes)
        return false;
    memcpy(node, page->start + offset, NODE_BYTES);
    node->key = page->start + offset + NODE_BYTES;
    return offset + NODE_BYTES + node->key_size <= of->page_bytes;
}

/* Building */

struct divider {
    uint64_t page; /* 0: none, the first leaf */
    size_t place;
};

static bool add_leaf(struct leaf_index *index, uint64_t leaf, struct divider divider)
{
    if (index->count >= index->of.leaf_pages || leaf >= UINT32_MAX)
        return false;
    index->leaves[index->count] = (uint32_t)leaf;
    index->divider_pages[index->count] = (uint32_t)divider.page;
    index->divider_places[index->count] = (uint16_t)divider.place;
    index->count++;
    return true;
}

/* A branch page; its children are leaves if `depth` is 2. */
static bool add_branch(struct leaf_index *index, uint64_t number, unsigned depth,
                       struct divider before)
{
    struct page page;
    struct node node;
    if (!open_page(&index->of, number, PAGE_BRANCH, &page))
        return false;
    for (size_t place = 0; place < page.nodes; place++) {
        struct divider divider = place == 0 ? before : (struct divider){number, place};
        if (!open_node(&index->of, &page, place, &node))
            return false;
        uint64_t child = node.low | (uint64_t)node.high << 16 | (uint64_t)node.flags << 32;
        if (depth == 2 ? !add_leaf(index, child, divider)
                       : !add_branch(index, child, depth - 1, divider))
            return false;
    }
    return true;
}

static bool divider_of(const struct leaf_index *index, size_t i, struct node *node)
{
    struct page page;
    return open_page(&index->of, index->divider_pages[i], PAGE_BRANCH, &page) &&
           index->divider_places[i] < page.nodes &&
           open_node(&index->of, &page, index->divider_places[i], node);
}

/* Eight bytes behind what all share. */
static uint64_t head_of(const struct leaf_index *index, const char *key, size_t key_size)
{
    unsigned char head[8] = {0};
    size_t left = key_size - index->shared_size;
    if (left >= sizeof head)
        return bytes_get_u64_be(key + index->shared_size);
    memcpy(head, key + index->shared_size, left);
    return bytes_get_u64_be(head);
}

/* The dividing keys ascend, so what the first and the last share, all do. */
static bool find_shared(struct leaf_index *index)
{
    struct node first, last;
    if (!divider_of(index, 1, &first) || !divider_of(index, index->count - 1, &last))
        return false;
    while (index->shared_size < first.key_size && index->shared_size < last.key_size &&
           index->shared_size < KEY_BYTES_MAX &&
           first.key[index->shared_size] == last.key[index->shared_size]) {
        index->shared[index->shared_size] = (unsigned char)first.key[index->shared_size];
        index->shared_size++;
    }
    return true;
}

static size_t filled_up(size_t size)
{
    return (size + FANOUT - 1) / FANOUT * FANOUT;
}

static bool fill_levels(struct leaf_index *index)
{
    index->levels[0][0] = 0;
    for (size_t i = 1; i < index->count; i++) {
        struct node node;
        if (!divider_of(index, i, &node) || node.key_size < index->shared_size)
            return false;
        index->levels[0][i] = head_of(index, node.key, node.key_size);
        if (index->levels[0][i] < index->levels[0][i - 1])
            return false;
    }
    for (unsigned level = 0; level < index->level_count; level++) {
        uint64_t *heads = index->levels[level];
        for (size_t i = 0; level > 0 && i < index->level_sizes[level]; i++)
            heads[i] = index->levels[level - 1][i * FANOUT];
        for (size_t i = index->level_sizes[level]; i < filled_up(index->level_sizes[level]); i++)
            heads[i] = UINT64_MAX;
    }
    return true;
}

static bool allocate(struct leaf_index *index, size_t leaves)
{
    size_t heads = 0, size = leaves;
    while (index->level_count < LEAF_INDEX_LEVELS_MAX) {
        index->level_sizes[index->level_count++] = size;
        heads += filled_up(size);
        if (size <= FANOUT)
            break;
        size = (size + FANOUT - 1) / FANOUT;
    }
    if (size > FANOUT)
        return false;
    index->mapped_bytes =
        heads * sizeof(uint64_t) + leaves * (2 * sizeof(uint32_t) + sizeof(uint16_t));
    char *memory =
        mmap(NULL, index->mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    madvise(memory, index->mapped_bytes, MADV_HUGEPAGE); /* it is searched at random */
    index->levels[0] = (uint64_t *)(void *)memory;
    for (unsigned level = 1; level < index->level_count; level++)
        index->levels[level] = index->levels[level - 1] + filled_up(index->level_sizes[level - 1]);
    index->leaves = (uint32_t *)(void *)(index->levels[0] + heads);
    index->divider_pages = index->leaves + leaves;
    index->divider_places = (uint16_t *)(void *)(index->divider_pages + leaves);
    return true;
}

struct leaf_index *leaf_index_new(const struct leaf_index_table *of)
{
    if (of->depth < 2 || of->leaf_pages < LEAVES_MIN || of->leaf_pages > UINT32_MAX)
        return NULL;
    struct leaf_index *index = calloc(1, sizeof *index);
    if (index == NULL)
        return NULL;
    index->of = *of;
    if (allocate(index, of->leaf_pages) &&
        add_branch(index, of->root, of->depth, (struct divider){0, 0}) &&
        index->count == of->leaf_pages && find_shared(index) && fill_levels(index))
        return index;
    leaf_index_free(index);
    return NULL;
}

void leaf_index_free(struct leaf_index *index)
{
    if (index == NULL)
        return;
    if (index->levels[0] != NULL)
        munmap(index->levels[0], index->mapped_bytes);
    free(index);
}

/* Finding */

/* How many of sixteen ascending heads are not above `head`; without branches, which would be
 * guessed wrong. */
static size_t count_not_above(const uint64_t heads[FANOUT], uint64_t head)
{
    size_t count = 0;
    count += heads[count + 7] <= head ? 8 : 0;
    count += heads[count + 3] <= head ? 4 : 0;
    count += heads[count + 1] <= head ? 2 : 0;
    count += heads[count] <= head ? 1 : 0;
    return count + (heads[count] <= head ? 1 : 0);
}

/* The last leaf whose head is not above `head`: from the top, sixteen heads (two cache lines) a
 * level. */
static size_t search_heads(const struct leaf_index *index, uint64_t head)
{
    size_t at = 0;
    for (unsigned level = index->level_count; level-- > 0;) {
        size_t begin = at * FANOUT;
        size_t not_above = count_not_above(index->levels[level] + begin, head);
        at = begin + (not_above > 0 ? not_above - 1 : 0);
        if (at >= index->level_sizes[level])
            at = index->level_sizes[level] - 1; /* in what fills up the last sixteen */
    }
    return at;
}

/* Among leaves that begin with the same head up to `last`, by the whole dividing keys. */
static int search_dividers(const struct leaf_index *index, const void *key, size_t key_size,
                           uint64_t head, size_t last, size_t *leaf)
{
    /* The first leaf of that head, galloping back and then halving. */
    size_t step = 1, low = last;
    while (low > 0 && index->levels[0][low] == head) {
        low = low > step ? low - step : 0;
        step *= 2;
    }
    /* low is before the run, or the first leaf; its divider is not above the key. */
    for (size_t high = last; low < high;) {
        size_t middle = low + (high - low + 1) / 2;
        struct node node;
        bool is_above = false;
        if (index->levels[0][middle] == head) {
            if (!divider_of(index, middle, &node))
                return -1;
            is_above = key_compare(node.key, node.key_size, key, key_size) > 0;
        }
        if (is_above)
            high = middle - 1;
        else
            low = middle;
    }
    *leaf = low;
    return 1;
}

static int search_leaf(const struct leaf_index *index, const void *key, size_t key_size,
                       size_t *leaf)
{
    size_t shorter = key_size < index->shared_size ? key_size : index->shared_size;
    int order = memcmp(key, index->shared, shorter);
    if (order < 0 || (order == 0 && key_size < index->shared_size)) {
        *leaf = 0;
        return 1;
    }
    if (order > 0) {
        *leaf = index->count - 1;
        return 1;
    }
    uint64_t head = head_of(index, key, key_size);
    *leaf = search_heads(index, head);
    if (index->levels[0][*leaf] != head)
        return 1;
    return search_dividers(index, key, key_size, head, *leaf, leaf);
}

/* The nodes the search will look at first are fetched together. */
static void prefetch_nodes(const struct page *page)
{
    for (size_t i = 1; i < PREFETCHED; i++)
        __builtin_prefetch(page->start + node_offset(page, page->nodes * i / PREFETCHED));
}

static int value_of(const struct leaf_index *index, const struct node *node, const void **value,
                    size_t *value_size)
{
    const struct leaf_index_table *of = &index->of;
    *value_size = node->low | (size_t)node->high << 16;
    *value = node->key + node->key_size;
    if ((node->flags & ~NODE_BIG) != 0)
        return -1;
    if ((node->flags & NODE_BIG) != 0) {
        uint64_t number;
        memcpy(&number, *value, sizeof number);
        if (number >= of->pages ||
            HEADER_BYTES + *value_size > (of->pages - number) * of->page_bytes)
            return -1;
        *value = of->map + number * of->page_bytes + HEADER_BYTES;
    }
    return 1;
}

int leaf_index_find(const struct leaf_index *index, const void *key, size_t key_size,
                    const void **value, size_t *value_size)
{
    struct page page;
    struct node node;
    size_t leaf;

    if (search_leaf(index, key, key_size, &leaf) < 0 ||
        !open_page(&index->of, index->leaves[leaf], PAGE_LEAF, &page))
        return -1;
    prefetch_nodes(&page);
    for (size_t low = 0, high = page.nodes; low < high;) {
        size_t middle = (low + high) / 2;
        if (!open_node(&index->of, &page, middle, &node))
            return -1;
        int order = key_compare(node.key, node.key_size, key, key_size);
        if (order == 0)
            return value_of(index, &node, value, value_size);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
