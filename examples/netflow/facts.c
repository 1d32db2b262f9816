#include "facts.h"

#include "options.h"
#include "text.h"

#include <netflow/time.h>

#include <inttypes.h>
#include <string.h>

const char *fact_human(uint64_t number, char text[NFL_VALUE_TEXT_SIZE])
{
    nfl_value value = {.struct_size = sizeof value,
                       .type = NFL_TYPE_U64,
                       .kind = NFL_KIND_COUNTER,
                       .present = 1,
                       .u64 = number};
    nfl_value_format(&value, NFL_TEXT_HUMAN, text, NFL_VALUE_TEXT_SIZE);
    return text;
}

/* The value without quotes; "" when there is none. */
static const char *fact_plain(const fact *f, char text[NFL_VALUE_TEXT_SIZE])
{
    text[0] = 0;
    if (f->kind == FACT_TEXT)
        return f->text ? f->text : "";
    if (f->kind != FACT_TIME)
        snprintf(text, NFL_VALUE_TEXT_SIZE, "%" PRIu64, f->number);
    else if (f->number)
        nfl_time_format((nfl_usec)f->number, text, NFL_VALUE_TEXT_SIZE);
    return text;
}

static void facts_print_people(const fact *facts, size_t count)
{
    char text[NFL_VALUE_TEXT_SIZE];
    size_t width = 0;
    for (size_t i = 0; i < count; i++)
        width = strlen(facts[i].label) > width ? strlen(facts[i].label) : width;
    for (size_t i = 0; i < count; i++) {
        const char *plain = fact_plain(&facts[i], text);
        if (!plain[0] || (facts[i].kind == FACT_TROUBLE && facts[i].number == 0))
            continue;
        printf("%-*s  ", (int)width, facts[i].label);
        text_print(stdout, plain);
        if (facts[i].kind == FACT_BYTES && facts[i].number >= 1000)
            printf(" (%sB)", fact_human(facts[i].number, text));
        putchar('\n');
    }
}

static void facts_print_json(const fact *facts, size_t count)
{
    char text[NFL_VALUE_TEXT_SIZE];
    for (size_t i = 0; i < count; i++) {
        printf("%s\"%s\": ", i ? ", " : "{", facts[i].name);
        const char *plain = fact_plain(&facts[i], text);
        if (!plain[0])
            fputs("null", stdout);
        else if (facts[i].kind == FACT_TEXT || facts[i].kind == FACT_TIME)
            text_print_json(stdout, plain);
        else
            fputs(plain, stdout);
    }
    puts("}");
}

static void facts_print_csv(const fact *facts, size_t count)
{
    char text[NFL_VALUE_TEXT_SIZE];
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i ? "," : "", facts[i].name);
    fputs("\r\n", stdout);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? "," : "", stdout);
        text_print_csv(stdout, fact_plain(&facts[i], text));
    }
    fputs("\r\n", stdout);
}

void facts_print(const fact *facts, size_t count, uint32_t format)
{
    if (format == FORMAT_JSON)
        facts_print_json(facts, count);
    else if (format == FORMAT_CSV)
        facts_print_csv(facts, count);
    else
        facts_print_people(facts, count);
}

void facts_row(const char *const *keys, const char *const *texts, size_t count, uint32_t format, table *t)
{
    for (size_t i = 0; i < count; i++) {
        if (format == FORMAT_TABLE) {
            table_cell(t, texts[i]);
        } else if (format == FORMAT_CSV) {
            fputs(i ? "," : "", stdout);
            text_print_csv(stdout, texts[i]);
        } else {
            printf("%s\"%s\": ", i ? ", " : "{", keys[i]);
            text_print_json(stdout, texts[i]);
        }
    }
    if (format == FORMAT_TABLE)
        table_end_row(t, 0);
    else
        fputs(format == FORMAT_CSV ? "\r\n" : "}\n", stdout);
}
