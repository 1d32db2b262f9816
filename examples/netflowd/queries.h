/* Queries that run now: how many there may be at a time, and when each must be over.
 *
 * Every query of an HTTP request opens the store read-only for itself and holds a slot here. The collector's
 * tick sets the cancel flag of those whose time is up. */
#ifndef NETFLOWD_QUERIES_H
#define NETFLOWD_QUERIES_H

#include <netflow/base.h>
#include <pthread.h>

enum { QUERIES_MAX = 16 };

typedef struct query_slot {
    volatile int32_t cancel; /* nfl_query::cancel points here */
    int used;
    nfl_usec deadline_us; /* of the monotonic clock */
} query_slot;

typedef struct queries {
    pthread_mutex_t lock;
    query_slot slots[QUERIES_MAX];
    int closed;
} queries;

void queries_init(queries *q);
void queries_done(queries *q);

/* A slot for so many seconds, or NULL when no more than so many are free: those who take long leave some to others. */
query_slot *queries_begin(queries *q, unsigned seconds, size_t leave_free);
void queries_end(queries *q, query_slot *slot);

/* Cancel what is overdue. */
void queries_tick(queries *q);

/* Cancel all that run, admit no more. */
void queries_close(queries *q);

#endif
