#include "query/page.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/wr.h"

enum { PAGE_FORM = 1, PAGE_BYTES = 42, PAGE_KEY = 2, PAGE_ROWS = 18, PAGE_QUESTION = 26, PAGE_HASH = 34 };

_Static_assert(2 * PAGE_BYTES < NFL_TOKEN_SIZE, "tokens fit");

static uint64_t page_hash_text(const char *text, uint64_t hash)
{
    return text ? nfl__hash(text, strlen(text) + 1, hash) : nfl__hash_u64(hash, 1);
}

/* Everything that decides about rows and their order; not how many are returned. */
static uint64_t page_question(const nfl_query *query)
{
    uint64_t hash = nfl__hash_u64(query->flags, 0);
    hash = nfl__hash_u64((uint64_t)query->from_us, hash);
    hash = nfl__hash_u64((uint64_t)query->to_us, hash);
    hash = page_hash_text(query->filter, hash);
    hash = page_hash_text(query->group_by, hash);
    hash = page_hash_text(query->order_by, hash);
    return page_hash_text(query->having, hash);
}

static int page_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* 0 unless it is a token, the whole of it, and unchanged. */
static int page_read(const char *token, uint8_t bytes[PAGE_BYTES])
{
    if (strlen(token) != 2 * PAGE_BYTES)
        return 0;
    for (size_t i = 0; i < PAGE_BYTES; i++) {
        int high = page_digit(token[2 * i]), low = page_digit(token[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return bytes[0] == PAGE_FORM && bytes[1] <= 1 && nfl__hash(bytes, PAGE_HASH, 0) == nfl__load_be64(bytes + PAGE_HASH);
}

nfl_status nfl__page_open(nfl__page *page, nfl__plan *plan, nfl_error *err)
{
    uint8_t bytes[PAGE_BYTES];
    memset(page, 0, sizeof *page);
    page->question = page_question(&plan->query);
    if (!plan->query.after)
        return NFL_OK;
    if (!plan->ordered || plan->bucketed)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "after: the query has %s", plan->bucketed ? "buckets" : "no order");
    if (!page_read(plan->query.after, bytes))
        return nfl__fail(err, NFL_E_SYNTAX, 0, "after: '%.100s' is no token", plan->query.after);
    if (nfl__load_be64(bytes + PAGE_QUESTION) != page->question)
        return nfl__fail(err, NFL_E_SYNTAX, 0, "after: the token is of another query");
    page->begins = 1;
    page->last.absent = bytes[1];
    page->last.order = (nfl__key){nfl__load_be64(bytes + PAGE_KEY), nfl__load_be64(bytes + PAGE_KEY + 8)};
    plan->query.offset = nfl__add_saturated(plan->query.offset, nfl__load_be64(bytes + PAGE_ROWS));
    return NFL_OK;
}

int nfl__page_has(const nfl__page *page, const nfl__plan *plan, const nfl__item *item)
{
    return !page->begins || nfl__top_compare_order(plan, item, &page->last) >= 0;
}

void nfl__page_token(const nfl__page *page, const nfl__top *top, size_t at, char dst[NFL_TOKEN_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    const nfl__item *item = &top->items[at];
    uint8_t bytes[PAGE_BYTES] = {PAGE_FORM, (uint8_t)item->absent};
    uint64_t rows = 1;
    while (rows <= at && nfl__top_compare_order(top->plan, &top->items[at - rows], item) == 0)
        rows++;
    nfl__store_be(bytes + PAGE_KEY, item->order.high, 8);
    nfl__store_be(bytes + PAGE_KEY + 8, item->order.low, 8);
    nfl__store_be(bytes + PAGE_ROWS, rows, 8);
    nfl__store_be(bytes + PAGE_QUESTION, page->question, 8);
    nfl__store_be(bytes + PAGE_HASH, nfl__hash(bytes, PAGE_HASH, 0), 8);
    for (size_t i = 0; i < PAGE_BYTES; i++) {
        dst[2 * i] = digits[bytes[i] >> 4];
        dst[2 * i + 1] = digits[bytes[i] & 15];
    }
    dst[2 * PAGE_BYTES] = 0;
}
