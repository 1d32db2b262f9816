#include "findings.h"

#include "report.h"
#include "text.h"

#include <netflow/time.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *findings_copy(const char *text)
{
    size_t len = strlen(text ? text : "") + 1;
    char *copy = tool_grow(NULL, len);
    memcpy(copy, text ? text : "", len);
    return copy;
}

/* `detector`, `measure` and `attack` come from the detectors' tables, but only until the next call. */
static void findings_own(nfl_finding *item)
{
    item->detector = findings_copy(item->detector);
    item->measure = findings_copy(item->measure);
    item->attack = findings_copy(item->attack);
    item->filter = findings_copy(item->filter);
    item->message = findings_copy(item->message);
}

static void findings_free(const nfl_finding *item)
{
    const char *const texts[] = {item->detector, item->measure, item->attack, item->filter, item->message};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free((void *)(uintptr_t)texts[i]);
}

void findings_add(findings *f, const nfl_finding *finding)
{
    nfl_finding own = {0};
    memcpy(&own, finding, finding->struct_size < sizeof own ? finding->struct_size : sizeof own);
    findings_own(&own);
    for (size_t i = f->count; i-- > 0;) { /* updates are mostly of the latest */
        if (f->items[i].id == finding->id) {
            findings_free(&f->items[i]);
            f->items[i] = own;
            return;
        }
    }
    if (f->count == f->room) {
        f->room = f->room ? f->room * 2 : 32;
        f->items = tool_grow(f->items, f->room * sizeof *f->items);
    }
    f->items[f->count++] = own;
}

void findings_done(findings *f)
{
    for (size_t i = 0; i < f->count; i++)
        findings_free(&f->items[i]);
    free(f->items);
}

/* ---- JSON ---- */

static void finding_json_text(const char *key, const char *text)
{
    printf(", \"%s\": ", key);
    text_print_json(stdout, text);
}

static void finding_json_number(const char *key, double number)
{
    if (isfinite(number))
        printf(", \"%s\": %.10g", key, number);
    else
        printf(", \"%s\": null", key);
}

/* The words of a list separated by commas, as an array. */
static void finding_json_list(const char *key, const char *list)
{
    printf(", \"%s\": [", key);
    for (int first = 1; *list; first = 0) {
        size_t len = strcspn(list, ",");
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)(len < 63 ? len : 63), list);
        fputs(first ? "" : ", ", stdout);
        text_print_json(stdout, word);
        list += len + (list[len] == ',');
    }
    putchar(']');
}

static void finding_print_json(const nfl_finding *item)
{
    char text[NFL_IP_TEXT_SIZE], first[NFL_TIME_TEXT_SIZE], last[NFL_TIME_TEXT_SIZE];
    fputs("{\"detector\": ", stdout);
    text_print_json(stdout, item->detector);
    finding_json_text("severity", nfl_severity_name(item->severity));
    printf(", \"confidence\": %u", item->confidence);
    nfl_ip_format(&item->entity, text, sizeof text);
    finding_json_text("entity", text);
    fputs(", \"peers\": [", stdout);
    for (unsigned i = 0; i < item->peer_count && i < NFL_FINDING_PEERS; i++) {
        nfl_ip_format(&item->peers[i], text, sizeof text);
        printf("%s\"%s\"", i ? ", " : "", text);
    }
    putchar(']');
    nfl_time_format(item->first_us, first, sizeof first);
    nfl_time_format(item->last_us, last, sizeof last);
    finding_json_text("first", first);
    finding_json_text("last", last);
    finding_json_number("observed", item->observed);
    finding_json_number("threshold", item->threshold);
    finding_json_text("measure", item->measure);
    printf(", \"flows\": %" PRIu64, item->flows);
    finding_json_text("filter", item->filter);
    finding_json_list("attack", item->attack);
    finding_json_text("message", item->message);
    puts("}");
}

/* ---- CSV ---- */

static void finding_csv_peers(const nfl_finding *item, char *list, size_t room)
{
    size_t len = 0;
    list[0] = 0;
    for (unsigned i = 0; i < item->peer_count && i < NFL_FINDING_PEERS; i++) {
        if (i)
            list[len++] = ' ';
        len += nfl_ip_format(&item->peers[i], list + len, room - len);
    }
}

static void finding_print_csv(const nfl_finding *item)
{
    char entity[NFL_IP_TEXT_SIZE], first[NFL_TIME_TEXT_SIZE], last[NFL_TIME_TEXT_SIZE];
    char peers[NFL_FINDING_PEERS * NFL_IP_TEXT_SIZE];
    char numbers[4][32];
    snprintf(numbers[0], sizeof numbers[0], "%u", item->confidence);
    snprintf(numbers[1], sizeof numbers[1], "%.10g", item->observed);
    snprintf(numbers[2], sizeof numbers[2], "%.10g", item->threshold);
    snprintf(numbers[3], sizeof numbers[3], "%" PRIu64, item->flows);
    nfl_ip_format(&item->entity, entity, sizeof entity);
    nfl_time_format(item->first_us, first, sizeof first);
    nfl_time_format(item->last_us, last, sizeof last);
    finding_csv_peers(item, peers, sizeof peers);
    const char *const cells[] = {item->detector, nfl_severity_name(item->severity),
                                 numbers[0],     entity,
                                 peers,          first,
                                 last,           numbers[1],
                                 numbers[2],     item->measure,
                                 numbers[3],     item->filter,
                                 item->attack,   item->message};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        fputs(i ? "," : "", stdout);
        text_print_csv(stdout, cells[i]);
    }
    fputs("\r\n", stdout);
}

/* ---- for people ---- */

static void finding_print_line(const char *label, const char *text)
{
    printf("    %-9s ", label);
    text_print(stdout, text);
    putchar('\n');
}

static void finding_print_people(const nfl_finding *item, const char *store)
{
    char entity[NFL_IP_TEXT_SIZE], first[NFL_TIME_TEXT_SIZE], last[NFL_TIME_TEXT_SIZE];
    char line[NFL_FINDING_PEERS * NFL_IP_TEXT_SIZE];
    nfl_ip_format(&item->entity, entity, sizeof entity);
    nfl_time_format(item->first_us, first, sizeof first);
    nfl_time_format(item->last_us, last, sizeof last);
    printf("%s: ", nfl_severity_name(item->severity));
    text_print(stdout, item->detector);
    printf(" by %s, %u %% sure\n", entity, item->confidence);
    finding_print_line("what", item->message);
    snprintf(line, sizeof line, "%s to %s", first, last);
    finding_print_line("when", line);
    snprintf(line, sizeof line, "%.10g %s, reported from %.10g on; %" PRIu64 " connections", item->observed,
             item->measure, item->threshold, item->flows);
    finding_print_line("measured", line);
    finding_csv_peers(item, line, sizeof line);
    finding_print_line("peers", line);
    finding_print_line("ATT&CK", item->attack);
    fputs("    evidence  ", stdout);
    if (store) {
        fputs("netflow flows -s ", stdout);
        text_print(stdout, store);
        putchar(' ');
    }
    putchar('\'');
    text_print(stdout, item->filter);
    puts("'\n");
}

void findings_print(const findings *f, const options *given)
{
    if (given->format == FORMAT_CSV)
        fputs("detector,severity,confidence,entity,peers,first,last,observed,threshold,measure,flows,filter,"
              "attack,"
              "message\r\n",
              stdout);
    for (size_t i = 0; i < f->count; i++) {
        if (given->format == FORMAT_JSON)
            finding_print_json(&f->items[i]);
        else if (given->format == FORMAT_CSV)
            finding_print_csv(&f->items[i]);
        else
            finding_print_people(&f->items[i], given->store);
    }
}
