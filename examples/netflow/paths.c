#include "paths.h"

#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATHS_DEPTH = 16 };

static void paths_keep(paths *p, const char *name, uint64_t bytes)
{
    if (p->count == p->room) {
        p->room = p->room ? p->room * 2 : 16;
        p->names = tool_grow(p->names, p->room * sizeof *p->names);
    }
    size_t len = strlen(name) + 1;
    p->names[p->count] = tool_grow(NULL, len);
    memcpy(p->names[p->count++], name, len);
    p->bytes += bytes;
}

static int paths_is_capture(const char *name)
{
    static const char *const endings[] = {".pcap", ".pcapng", ".cap", ".ipfix"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending = strlen(endings[i]);
        if (len > ending && strcmp(name + len - ending, endings[i]) == 0)
            return 1;
    }
    return 0;
}

static void paths_add_directory(paths *p, const char *name, int depth);

static void paths_add_entry(paths *p, const char *directory, const char *entry, int depth)
{
    if (entry[0] == '.')
        return;
    size_t room = strlen(directory) + strlen(entry) + 2;
    char *name = tool_grow(NULL, room);
    snprintf(name, room, "%s/%s", directory, entry);
    struct stat about;
    if (stat(name, &about) == 0) {
        if (S_ISDIR(about.st_mode) && depth < PATHS_DEPTH)
            paths_add_directory(p, name, depth + 1);
        else if (S_ISREG(about.st_mode) && paths_is_capture(entry))
            paths_keep(p, name, (uint64_t)about.st_size);
    }
    free(name);
}

static void paths_add_directory(paths *p, const char *name, int depth)
{
    struct dirent **entries;
    int count = scandir(name, &entries, NULL, alphasort);
    if (count < 0) {
        complain("%s: %s", name, strerror(errno));
        p->missing++;
        return;
    }
    for (int i = 0; i < count; i++) {
        paths_add_entry(p, name, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
}

void paths_add(paths *p, const char *name)
{
    struct stat about;
    int known = stat(name, &about) == 0;
    if (!known || !S_ISDIR(about.st_mode)) { /* opening what is not there tells what is wrong */
        paths_keep(p, name, known ? (uint64_t)about.st_size : 0);
        return;
    }
    size_t before = p->count;
    paths_add_directory(p, name, 0);
    if (p->count == before) {
        complain("%s: no captures in it (*.pcap, *.pcapng, *.cap, *.ipfix)", name);
        p->missing++;
    }
}

void paths_done(paths *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->names[i]);
    free(p->names);
}
