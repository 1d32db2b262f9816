#include "findings.h"

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netflow/time.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FINDINGS_MAX = 1000,
    FINDINGS_FILE_MAX = 16 << 20, /* then the next file begins */
    FINDINGS_LINE_MAX = 64 << 10
};

/* What is needed of a report to find it; the rest stays text. */
typedef struct finding_line {
    uint64_t id;
    nfl_usec first_us;
    nfl_usec last_us;
    char *text; /* JSON, from malloc */
    size_t len;
} finding_line;

struct findings {
    pthread_mutex_t lock;
    finding_line lines[FINDINGS_MAX]; /* oldest report first */
    size_t count;
    char path[PATH_MAX];
    char old_path[PATH_MAX];
    int file; /* -1 when it could not be opened */
    int unsynced;
    uint64_t file_bytes;
};

/* --- in memory --- */

static void findings_remove(findings *f, size_t i)
{
    free(f->lines[i].text);
    memmove(&f->lines[i], &f->lines[i + 1], (f->count - i - 1) * sizeof *f->lines);
    f->count--;
}

/* Takes the text. */
static void findings_keep(findings *f, const finding_line *line)
{
    size_t same = 0;
    while (same < f->count && f->lines[same].id != line->id)
        same++;
    if (same < f->count)
        findings_remove(f, same);
    else if (f->count == FINDINGS_MAX)
        findings_remove(f, 0);
    f->lines[f->count++] = *line;
}

/* --- one line of JSON --- */

static void findings_write_peers(json *j, const nfl_finding *finding)
{
    json_key(j, "peers");
    json_open(j, '[');
    for (size_t i = 0; i < finding->peer_count && i < NFL_FINDING_PEERS; i++)
        json_ip(j, &finding->peers[i]);
    json_close(j, ']');
}

/* findings_read_head() reads the first members back: keep their order. */
static void findings_write_line(json *j, const nfl_finding *finding)
{
    char id[17];
    snprintf(id, sizeof id, "%016" PRIx64, finding->id);
    json_open(j, '{');
    json_pair_text(j, "id", id);
    json_pair_time(j, "first", finding->first_us);
    json_pair_time(j, "last", finding->last_us);
    json_pair_time(j, "found", finding->found_us);
    json_pair_text(j, "severity", nfl_severity_name(finding->severity));
    json_pair_u64(j, "level", finding->severity);
    json_pair_u64(j, "confidence", finding->confidence);
    json_pair_text(j, "detector", finding->detector);
    json_key(j, "entity");
    json_ip(j, &finding->entity);
    findings_write_peers(j, finding);
    json_key(j, "observed");
    json_double(j, finding->observed);
    json_key(j, "threshold");
    json_double(j, finding->threshold);
    json_pair_text(j, "measure", finding->measure);
    json_pair_u64(j, "flows", finding->flows);
    json_pair_text(j, "attack", finding->attack);
    json_pair_text(j, "filter", finding->filter);
    json_pair_text(j, "message", finding->message);
    json_close(j, '}');
}

/* --- on disk --- */

static int findings_read_time(const char **at, const char *key, nfl_usec *out)
{
    char text[NFL_TIME_TEXT_SIZE];
    size_t key_len = strlen(key);
    if (strncmp(*at, key, key_len) != 0)
        return 0;
    const char *start = *at + key_len, *quote = strchr(start, '"');
    if (!quote || (size_t)(quote - start) >= sizeof text)
        return 0;
    memcpy(text, start, (size_t)(quote - start));
    text[quote - start] = '\0';
    *at = quote + 1;
    return nfl_time_parse(text, 0, out, NULL) == NFL_OK;
}

static int findings_read_head(const char *text, finding_line *line)
{
    static const char start[] = "{\"id\":\"";
    if (strncmp(text, start, sizeof start - 1) != 0)
        return 0;
    char *rest;
    line->id = strtoull(text + sizeof start - 1, &rest, 16);
    const char *at = rest;
    return findings_read_time(&at, "\",\"first\":\"", &line->first_us) &&
           findings_read_time(&at, ",\"last\":\"", &line->last_us);
}

/* Lines that are damaged are left out: the last one may have been cut by a crash. */
static void findings_load(findings *f, const char *path)
{
    char *data;
    size_t len;
    if (files_read(path, FINDINGS_FILE_MAX + FINDINGS_LINE_MAX, &data, &len) != 0)
        return;
    for (char *text = data, *newline; (newline = memchr(text, '\n', len - (size_t)(text - data)));
         text = newline + 1) {
        *newline = '\0';
        finding_line line = {.len = strlen(text)};
        if (!json_valid(text, line.len) || !findings_read_head(text, &line) || !(line.text = strdup(text)))
            continue;
        findings_keep(f, &line);
    }
    free(data);
}

static int findings_open_file(findings *f)
{
    f->file = open(f->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (f->file < 0)
        return errno;
    struct stat about;
    if (fstat(f->file, &about) < 0)
        return errno;
    f->file_bytes = (uint64_t)about.st_size;
    char last = '\n';
    if (about.st_size > 0 && pread(f->file, &last, 1, about.st_size - 1) == 1 && last != '\n')
        return files_write_all(f->file, "\n", 1); /* close the line that a crash cut */
    return 0;
}

static int findings_turn_file(findings *f)
{
    close(f->file);
    f->file = -1;
    return rename(f->path, f->old_path) < 0 ? errno : findings_open_file(f);
}

static int findings_append(findings *f, json *line)
{
    int result = 0;
    if (f->file < 0)
        result = findings_open_file(f);
    else if (f->file_bytes > FINDINGS_FILE_MAX)
        result = findings_turn_file(f);
    if (result)
        return result;
    json_line_feed(line);
    if (!json_ok(line))
        return ENOMEM;
    result =
        files_write_all(f->file, line->data, line->len); /* one write: lines are not mixed or cut by others */
    f->file_bytes += line->len;
    f->unsynced = 1;
    return result;
}

/* --- interface --- */

int findings_open(findings **out, const char *store)
{
    findings *f = calloc(1, sizeof *f);
    if (!f)
        return ENOMEM;
    pthread_mutex_init(&f->lock, NULL);
    snprintf(f->path, sizeof f->path, "%s/findings.jsonl", store);
    snprintf(f->old_path, sizeof f->old_path, "%s/findings.jsonl.1", store);
    findings_load(f, f->old_path);
    findings_load(f, f->path);
    int result = findings_open_file(f);
    if (result) {
        findings_close(f);
        return result;
    }
    *out = f;
    return 0;
}

void findings_close(findings *f)
{
    if (!f)
        return;
    (void)findings_sync(f);
    while (f->count)
        findings_remove(f, f->count - 1);
    if (f->file >= 0)
        close(f->file);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

int findings_add(findings *f, const nfl_finding *finding)
{
    json j = {0};
    findings_write_line(&j, finding);
    finding_line line = {
        .id = finding->id, .first_us = finding->first_us, .last_us = finding->last_us, .len = j.len};
    line.text = json_ok(&j) ? malloc(j.len) : NULL;
    if (!line.text) {
        json_done(&j);
        return ENOMEM;
    }
    memcpy(line.text, j.data, j.len);
    pthread_mutex_lock(&f->lock);
    findings_keep(f, &line);
    int result = findings_append(f, &j);
    pthread_mutex_unlock(&f->lock);
    json_done(&j);
    return result;
}

int findings_sync(findings *f)
{
    if (!f->unsynced)
        return 0;
    f->unsynced = 0;
    return f->file >= 0 && fdatasync(f->file) < 0 ? errno : 0;
}

static int findings_overlaps(const finding_line *line, nfl_usec from_us, nfl_usec to_us)
{
    return (!from_us || line->last_us >= from_us) && (!to_us || line->first_us < to_us);
}

void findings_write(findings *f, json *j, nfl_usec from_us, nfl_usec to_us, size_t n)
{
    uint64_t total = 0;
    pthread_mutex_lock(&f->lock);
    json_key(j, "findings");
    json_open(j, '[');
    for (size_t i = f->count; i-- > 0;) {
        if (!findings_overlaps(&f->lines[i], from_us, to_us))
            continue;
        if (total++ < n)
            json_raw(j, f->lines[i].text, f->lines[i].len);
    }
    pthread_mutex_unlock(&f->lock);
    json_close(j, ']');
    json_pair_u64(j, "total", total);
}

size_t findings_count(findings *f)
{
    pthread_mutex_lock(&f->lock);
    size_t count = f->count;
    pthread_mutex_unlock(&f->lock);
    return count;
}
