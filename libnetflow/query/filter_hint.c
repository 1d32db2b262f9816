#include "query/filter_hint.h"

#include "record/fields.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define HINT_LONGEST 24u

static const char hint_keywords[] =
    "and or not in any exists absent text tcp udp icmp ipv4 ipv6 inet inet6 mac src dst host net";

typedef struct hint_search {
    const char *word;
    size_t len;
    size_t distance; /* of the best word so far */
    const char *best;
    size_t best_len;
} hint_search;

static char hint_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static size_t hint_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, removals and changes from one word to the other, and swaps of neighbours (optimal string
 * alignment), for words up to HINT_LONGEST. */
static size_t hint_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][HINT_LONGEST + 1];
    size_t *before = rows[0], *previous = rows[1], *current = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        before[j] = previous[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        current[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            char ca = hint_lower(a[i - 1]), cb = b[j - 1];
            size_t cost = hint_min(previous[j], current[j - 1]) + 1;
            cost = hint_min(cost, previous[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == b[j - 2] && hint_lower(a[i - 2]) == cb)
                cost = hint_min(cost, before[j - 2] + 1);
            current[j] = cost;
        }
        size_t *oldest = before;
        before = previous;
        previous = current;
        current = oldest;
    }
    return previous[b_len];
}

/* Try every word of a list separated by spaces. */
static void hint_try(hint_search *search, const char *list)
{
    for (const char *word = list; *word;) {
        size_t len = strcspn(word, " ");
        if (len > 0 && len <= HINT_LONGEST) {
            size_t distance = hint_distance(search->word, search->len, word, len);
            if (distance < search->distance) {
                search->distance = distance;
                search->best = word;
                search->best_len = len;
            }
        }
        word += len;
        word += *word == ' ';
    }
}

void nfl__filter_hint(const char *word, size_t len, int keywords, char dst[NFL__HINT_SIZE])
{
    dst[0] = 0;
    if (len < 2 || len > HINT_LONGEST)
        return;
    hint_search search = {word, len, len < 4 ? 2 : len < 8 ? 3 : 4, NULL, 0}; /* distances below these */
    const nfl_field_info *row;
    for (uint32_t i = 0; (row = nfl__field_at(i)) != NULL; i++) {
        hint_try(&search, row->name);
        hint_try(&search, row->aliases);
    }
    if (keywords)
        hint_try(&search, hint_keywords);
    if (search.best)
        snprintf(dst, NFL__HINT_SIZE, " (did you mean '%.*s'?)", (int)search.best_len, search.best);
}
