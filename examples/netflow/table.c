#include "table.h"

#include "report.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TABLE_GAP = 2, TABLE_SHARE_WIDTH = 7, TABLE_BAR_WIDTH = 30, TABLE_BAR_LEAST = 8 };

/* Columns of the terminal that standard output is, or a width that nothing reaches. */
static size_t table_terminal_width(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return 100000;
    return size.ws_col;
}

static int table_is_bold(void)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_colour && no_colour[0]) && term && strcmp(term, "dumb") != 0;
}

void table_init(table *t, size_t hold)
{
    memset(t, 0, sizeof *t);
    t->hold = hold ? hold : SIZE_MAX;
    t->total_row = SIZE_MAX;
}

void table_add_column(table *t, const char *title, int right)
{
    if (t->column_count == TABLE_COLUMNS)
        return;
    t->columns[t->column_count++] = (table_column){title, right, text_width(title, strlen(title))};
}

void table_cell(table *t, const char *text)
{
    size_t len = strlen(text) + 1;
    if (t->text_len + len > t->text_room) {
        t->text_room = (t->text_len + len) * 2;
        t->text = tool_grow(t->text, t->text_room);
    }
    memcpy(t->text + t->text_len, text, len);
    t->text_len += len;
}

/* ---- widths ---- */

static void table_measure(table *t)
{
    const char *cell = t->text;
    for (size_t row = 0; row < t->rows; row++) {
        for (size_t i = 0; i < t->column_count; i++) {
            size_t len = strlen(cell), width = text_width(cell, len);
            if (width > t->columns[i].width)
                t->columns[i].width = width;
            cell += len + 1;
        }
    }
}

static size_t table_width(const table *t, size_t columns)
{
    size_t width = 0;
    for (size_t i = 0; i < columns; i++)
        width += t->columns[i].width + (i ? TABLE_GAP : 0);
    return width;
}

/* Leave out at the right what the terminal has no room for. */
static void table_fit(table *t)
{
    size_t room = table_terminal_width();
    size_t gauge = t->gauge == TABLE_BAR ? TABLE_BAR_LEAST : TABLE_SHARE_WIDTH;
    if (t->gauge != TABLE_PLAIN && table_width(t, t->column_count) + TABLE_GAP + gauge > room)
        t->gauge = TABLE_PLAIN;
    t->shown = t->column_count;
    while (t->shown > 1 && table_width(t, t->shown) > room)
        t->shown--;
}

/* ---- printing ---- */

static void table_spaces(size_t count)
{
    printf("%*s", (int)count, "");
}

static void table_print_cell(const table *t, size_t column, const char *text)
{
    const table_column *c = &t->columns[column];
    size_t width = text_width(text, strlen(text)), pad = width < c->width ? c->width - width : 0;
    int last = column + 1 == t->shown && t->gauge == TABLE_PLAIN;
    if (column)
        table_spaces(TABLE_GAP);
    if (c->right)
        table_spaces(pad);
    text_print(stdout, text);
    if (!c->right && !last)
        table_spaces(pad);
}

static void table_print_header(table *t)
{
    int bold = table_is_bold();
    if (bold)
        fputs("\033[1m", stdout);
    for (size_t i = 0; i < t->shown; i++)
        table_print_cell(t, i, t->columns[i].title);
    if (t->gauge == TABLE_SHARE)
        printf("  %*s", TABLE_SHARE_WIDTH, "Share");
    puts(bold ? "\033[0m" : "");
    t->started = 1;
}

/* Eighths of a character where the locale has them. */
static void table_print_bar(const table *t, uint64_t weight)
{
    static const char *const eighths[] = {"",       "\u258f", "\u258e", "\u258d",
                                          "\u258c", "\u258b", "\u258a", "\u2589"};
    size_t room = table_terminal_width() - table_width(t, t->shown) - TABLE_GAP;
    double width = room < TABLE_BAR_WIDTH ? (double)room : TABLE_BAR_WIDTH;
    double part = t->gauge_full ? (double)weight / (double)t->gauge_full * width : 0;
    unsigned steps = (unsigned)(part * 8 + 0.5);
    int utf8 = text_is_utf8();
    if (weight && steps < (utf8 ? 1 : 4))
        steps = utf8 ? 1 : 4; /* little is not nothing */
    unsigned full = steps / 8;
    for (unsigned i = 0; i < full; i++)
        fputs(utf8 ? "\u2588" : "#", stdout);
    if (utf8)
        fputs(eighths[steps % 8], stdout);
    else if (steps % 8 >= 4)
        fputc('#', stdout);
}

static void table_print_gauge(const table *t, uint64_t weight)
{
    table_spaces(TABLE_GAP);
    if (t->gauge == TABLE_BAR) {
        table_print_bar(t, weight);
        return;
    }
    double share = t->gauge_full ? 100.0 * (double)weight / (double)t->gauge_full : 0;
    printf("%*.1f %%", TABLE_SHARE_WIDTH - 2, share);
}

static void table_print_rule(const table *t)
{
    for (size_t i = 0; i < table_width(t, t->shown); i++)
        fputs(text_is_utf8() ? "\u2500" : "-", stdout);
    putchar('\n');
}

static void table_flush(table *t)
{
    table_measure(t);
    if (!t->started) {
        table_fit(t);
        table_print_header(t);
    }
    const char *cell = t->text;
    for (size_t row = 0; row < t->rows; row++) {
        if (row == t->total_row)
            table_print_rule(t);
        for (size_t i = 0; i < t->column_count; i++) {
            if (i < t->shown)
                table_print_cell(t, i, cell);
            cell += strlen(cell) + 1;
        }
        if (t->gauge == TABLE_SHARE || (t->gauge == TABLE_BAR && row != t->total_row))
            table_print_gauge(t, t->weights[row]);
        putchar('\n');
    }
    t->rows = 0;
    t->text_len = 0;
}

void table_end_row(table *t, uint64_t weight)
{
    if (t->rows == t->weight_room) {
        t->weight_room = t->weight_room ? t->weight_room * 2 : 64;
        t->weights = tool_grow(t->weights, t->weight_room * sizeof *t->weights);
    }
    t->weights[t->rows++] = weight;
    if (t->rows == t->hold)
        table_flush(t);
}

void table_total(table *t)
{
    t->total_row = t->rows;
}

void table_done(table *t)
{
    table_flush(t);
    if (t->shown < t->column_count) {
        printf("not shown for want of room:");
        for (size_t i = t->shown; i < t->column_count; i++)
            printf("%s %s", i > t->shown ? "," : "", t->columns[i].title);
        putchar('\n');
    }
    free(t->text);
    free(t->weights);
}
