#include "query/page.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/rd.h"
#include "base/wr.h"
#include "query/cursor.h"

enum { PAGE_FORM = 1, PAGE_MOST = (NFL_TOKEN_SIZE - 1) / 2, PAGE_HASH = 8, PAGE_GROUP_FIELD = 17 };

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

/* --- from a token --- */

static int page_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* Bytes of a token; 0 unless it is one, the whole of it, and unchanged. */
static size_t page_read(const char *token, uint8_t bytes[PAGE_MOST])
{
    size_t len = strlen(token) / 2;
    if (strlen(token) % 2 || len <= PAGE_HASH || len > PAGE_MOST)
        return 0;
    for (size_t i = 0; i < len; i++) {
        int high = page_digit(token[2 * i]), low = page_digit(token[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return nfl__hash(bytes, len - PAGE_HASH, 0) == nfl__load_be64(bytes + len - PAGE_HASH) ? len - PAGE_HASH : 0;
}

static void page_read_key(nfl__rd *rd, const nfl__group_key *key, nfl_value *out)
{
    *out = (nfl_value){.struct_size = sizeof *out, .type = key->type, .present = nfl__rd_u8(rd)};
    if (!out->present)
        return;
    const uint8_t *address = key->type == NFL_TYPE_IP ? nfl__rd_bytes(rd, sizeof out->ip) : NULL;
    if (address)
        memcpy(&out->ip, address, sizeof out->ip);
    else
        out->u64 = nfl__rd_u64(rd);
}

static void page_read_where(nfl__page *page, const nfl__plan *plan, nfl__rd *rd)
{
    for (uint32_t i = 0; i + plan->distinct_key < plan->key_count; i++)
        page_read_key(rd, &plan->keys[i], &page->keys[i]);
    if (plan->grouped)
        return;
    page->last.received_us = (nfl_usec)nfl__rd_u64(rd);
    page->alike = nfl__rd_u64(rd);
}

nfl_status nfl__page_open(nfl__page *page, const nfl__plan *plan, nfl_error *err)
{
    uint8_t bytes[PAGE_MOST];
    const char *token = plan->query.after;
    memset(page, 0, sizeof *page);
    page->question = page_question(&plan->query);
    if (!token)
        return NFL_OK;
    if (!plan->ordered || plan->bucketed)
        return nfl__fail(err, NFL_E_ARG, NFL_NO_OFFSET, "after: the query has %s", plan->bucketed ? "buckets" : "no order");
    nfl__rd rd = nfl__rd_make(bytes, page_read(token, bytes));
    uint8_t form = nfl__rd_u8(&rd), absent = nfl__rd_u8(&rd);
    page->last.order.high = nfl__rd_u64(&rd);
    page->last.order.low = nfl__rd_u64(&rd);
    page->last.absent = absent;
    uint64_t question = nfl__rd_u64(&rd);
    if (rd.failed || form != PAGE_FORM || absent > 1)
        return nfl__fail(err, NFL_E_SYNTAX, 0, "after: '%.100s' is no token", token);
    if (question != page->question)
        return nfl__fail(err, NFL_E_SYNTAX, 0, "after: the token is of another query");
    page_read_where(page, plan, &rd);
    if (rd.failed || nfl__rd_left(&rd))
        return nfl__fail(err, NFL_E_SYNTAX, 0, "after: the token is of another query");
    page->begins = 1;
    return NFL_OK;
}

/* --- comparing --- */

static int page_compare_value(const nfl_value *a, const nfl_value *b)
{
    if (a->type == NFL_TYPE_IP)
        return nfl_ip_compare(&a->ip, &b->ip);
    return nfl__key_compare(nfl__key_u64(a->type, a->u64), nfl__key_u64(b->type, b->u64));
}

/* In the order of groups with the same value to order by: what is absent first, then the fields' values (plan.h). */
static int page_compare_group(const nfl__page *page, const nfl__plan *plan, const nfl__addresses *addresses, const uint64_t *group)
{
    nfl_value values[NFL__PLAN_FIELDS];
    uint32_t count = plan->key_count - plan->distinct_key;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = (nfl_value){.struct_size = sizeof values[i], .type = plan->keys[i].type};
        nfl__cursor_field_value(plan, addresses, group, plan->keys[i].field, &values[i]);
        values[i].present = values[i].present != 0;
    }
    for (uint32_t i = 0; i < count; i++)
        if (values[i].present != page->keys[i].present)
            return values[i].present ? 1 : -1;
    for (uint32_t i = 0; i < count; i++) {
        int order = values[i].present ? page_compare_value(&values[i], &page->keys[i]) : 0;
        if (order)
            return order;
    }
    return 0;
}

int nfl__page_has(nfl__page *page, const nfl__plan *plan, const nfl__addresses *addresses, const nfl__item *item)
{
    int order = page->begins ? nfl__top_compare_order(plan, item, &page->last) : 1;
    if (order != 0)
        return order > 0;
    if (plan->grouped)
        return page_compare_group(page, plan, addresses, item->row) > 0;
    if (item->received_us != page->last.received_us)
        return item->received_us > page->last.received_us;
    if (page->alike == 0)
        return 1;
    page->alike--; /* one of those that are known */
    return 0;
}

/* --- to a token --- */

static size_t page_write_key(uint8_t *dst, const nfl_value *value)
{
    dst[0] = value->present != 0;
    if (!value->present)
        return 1;
    if (value->type == NFL_TYPE_IP) {
        memcpy(dst + 1, &value->ip, sizeof value->ip);
        return 1 + sizeof value->ip;
    }
    nfl__store_be(dst + 1, value->u64, 8);
    return 9;
}

/* Records of the item's key and arrival, up to and with it. */
static uint64_t page_rows_alike(const nfl__top *top, size_t at)
{
    const nfl__item *item = &top->items[at];
    uint64_t rows = 1;
    while (rows <= at && top->items[at - rows].received_us == item->received_us &&
           nfl__top_compare_order(top->plan, &top->items[at - rows], item) == 0)
        rows++;
    return rows;
}

static size_t page_write_where(const nfl__top *top, size_t at, uint8_t *dst)
{
    const nfl__plan *plan = top->plan;
    size_t len = 0;
    for (uint32_t i = 0; i + plan->distinct_key < plan->key_count; i++) {
        nfl_value value = {.struct_size = sizeof value, .type = plan->keys[i].type};
        nfl__cursor_field_value(plan, top->addresses, top->items[at].row, plan->keys[i].field, &value);
        len += page_write_key(dst + len, &value);
    }
    if (plan->grouped)
        return len;
    nfl__store_be(dst, (uint64_t)top->items[at].received_us, 8);
    nfl__store_be(dst + 8, page_rows_alike(top, at), 8);
    return 16;
}

nfl_status nfl__page_token(const nfl__page *page, const nfl__top *top, size_t at, char dst[NFL_TOKEN_SIZE], nfl_error *err)
{
    static const char digits[] = "0123456789abcdef";
    enum { HEAD = 26 };
    const nfl__item *item = &top->items[at];
    uint8_t bytes[HEAD + NFL__PLAN_FIELDS * PAGE_GROUP_FIELD + PAGE_HASH] = {PAGE_FORM, (uint8_t)item->absent};
    nfl__store_be(bytes + 2, item->order.high, 8);
    nfl__store_be(bytes + 10, item->order.low, 8);
    nfl__store_be(bytes + 18, page->question, 8);
    size_t len = HEAD + page_write_where(top, at, bytes + HEAD);
    nfl__store_be(bytes + len, nfl__hash(bytes, len, 0), 8);
    len += PAGE_HASH;
    if (len > PAGE_MOST)
        return nfl__fail(err, NFL_E_LIMIT, NFL_NO_OFFSET, "a token would have %zu bytes, %d at most", 2 * len, 2 * PAGE_MOST);
    for (size_t i = 0; i < len; i++) {
        dst[2 * i] = digits[bytes[i] >> 4];
        dst[2 * i + 1] = digits[bytes[i] & 15];
    }
    dst[2 * len] = 0;
    return NFL_OK;
}
