#include "queries.h"

#include "clock.h"

void queries_init(queries *q)
{
    *q = (queries){0};
    pthread_mutex_init(&q->lock, NULL);
}

void queries_done(queries *q)
{
    pthread_mutex_destroy(&q->lock);
}

query_slot *queries_begin(queries *q, unsigned seconds, size_t leave_free)
{
    query_slot *slot = NULL;
    size_t free_slots = 0;
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < QUERIES_MAX; i++) {
        if (q->slots[i].used)
            continue;
        free_slots++;
        slot = &q->slots[i];
    }
    if (q->closed || free_slots <= leave_free)
        slot = NULL;
    if (slot)
        *slot = (query_slot){.used = 1, .deadline_us = clock_elapsed() + (nfl_usec)seconds * 1000000};
    pthread_mutex_unlock(&q->lock);
    return slot;
}

void queries_end(queries *q, query_slot *slot)
{
    pthread_mutex_lock(&q->lock);
    slot->used = 0;
    pthread_mutex_unlock(&q->lock);
}

static void queries_cancel(queries *q, nfl_usec before_us)
{
    for (size_t i = 0; i < QUERIES_MAX; i++)
        if (q->slots[i].used && q->slots[i].deadline_us < before_us)
            q->slots[i].cancel = 1;
}

void queries_tick(queries *q)
{
    pthread_mutex_lock(&q->lock);
    queries_cancel(q, clock_elapsed());
    pthread_mutex_unlock(&q->lock);
}

void queries_close(queries *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = 1;
    queries_cancel(q, INT64_MAX);
    pthread_mutex_unlock(&q->lock);
}
