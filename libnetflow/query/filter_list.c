#include "query/filter_list.h"

#include "base/error.h"
#include "query/filter_build.h"

#include <string.h>

#define LIST_NAME_SIZE 256u
#define LIST_MAX_VALUES (1u << 20) /* of all lists of a filter: 32 MiB of ranges */

typedef struct list_reader {
    nfl_filter *filter;
    const nfl__literal_type *type;
    const char *name;
    uint32_t column; /* of the name in the filter */
    uint32_t line;   /* from 1 */
    nfl_error *err;
} list_reader;

static int list_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line without its end and its comment. */
static nfl_status list_add_line(const list_reader *r, const char *line, size_t len)
{
    nfl__range ranges[NFL__LITERAL_RANGES];
    uint32_t count;
    nfl_error detail;
    while (len > 0 && list_is_blank(line[len - 1]))
        len--;
    for (; len > 0 && list_is_blank(*line); len--)
        line++;
    if (len == 0)
        return NFL_OK;
    nfl__token token = {line, len < LIST_NAME_SIZE ? (uint32_t)len : LIST_NAME_SIZE, r->column, NFL__TOKEN_STRING};
    nfl_status status = nfl__literal_parse(r->type, &token, ranges, &count, &detail);
    if (status < 0)
        return nfl__fail(r->err, status, r->column, "list '%.40s', line %u: %s", r->name, r->line, detail.message);
    for (uint32_t i = 0; i < count; i++) {
        if (r->filter->listed++ == LIST_MAX_VALUES)
            return nfl__fail(r->err, NFL_E_LIMIT, r->column, "list '%.40s', line %u: more than %u values in lists", r->name,
                             r->line, LIST_MAX_VALUES);
        r->filter->max_values++; /* what is written into the filter has a limit of its own */
        NFL_TRY(nfl__filter_add_range(r->filter, &ranges[i], r->err));
    }
    return NFL_OK;
}

/* Length of the line at `text`, up to a comment if there is one; *next: where the following line starts. */
static size_t list_line(const char *text, size_t len, size_t *next)
{
    size_t at = 0;
    while (at < len && text[at] != '\n' && text[at] != '#' && text[at] != ';')
        at++;
    const char *feed = memchr(text + at, '\n', len - at);
    *next = feed ? (size_t)(feed - text) + 1 : len;
    return at;
}

nfl_status nfl__filter_add_list(nfl_filter *filter, const nfl_filter_opts *opts, const nfl__literal_type *type,
                                const nfl__token *name, nfl_error *err)
{
    char list[LIST_NAME_SIZE];
    nfl_error detail = {.message = "not found"};
    const char *text = NULL;
    size_t len = 0, next;
    if (!opts->list)
        return nfl__fail(err, NFL_E_SYNTAX, name->column, "lists by name are not known here");
    if (name->len == 0 || name->len >= sizeof list)
        return nfl__fail(err, NFL_E_SYNTAX, name->column, "the name of a list has 1 to %u bytes", LIST_NAME_SIZE - 1);
    memcpy(list, name->text, name->len);
    list[name->len] = 0;
    nfl_status status = opts->list(opts->list_ctx, list, &text, &len, &detail);
    if (status < 0)
        return nfl__fail(err, status, name->column, "list '%.40s': %s", list, detail.message);
    list_reader reader = {filter, type, list, name->column, 1, err};
    for (; len > 0; text += next, len -= next, reader.line++) {
        size_t line_len = list_line(text, len, &next);
        NFL_TRY(list_add_line(&reader, text, line_len));
    }
    return NFL_OK;
}
