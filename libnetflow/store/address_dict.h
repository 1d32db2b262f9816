/* Dictionaries of addresses: the distinct ones of one or two columns, sorted, and each row's position.
 *
 * A hash table finds the distinct ones (its seed is an address in memory: who sends the addresses must not choose the
 * collisions), a radix sort orders them. Costs a look-up a row, and none where a row has the two addresses of the row
 * before, exchanged or not. */
#ifndef NFL_STORE_ADDRESS_DICT_H
#define NFL_STORE_ADDRESS_DICT_H

#include "query/batch.h"
#include "store/buffer.h"
#include "store/numbers.h"

typedef struct nfl__address_dict {
    uint32_t capacity; /* rows of a column */
    uint32_t slot_count, slot_most; /* slots in use, and that there is memory for: powers of two */
    uint32_t count;    /* distinct */
    uint32_t below, v4; /* of them: below and inside the IPv4 range */
    nfl_ip *distinct;  /* in order of appearance */
    nfl_ip *sorted;
    uint32_t *slots;   /* 1 + position in `distinct`; 0 = free */
    uint32_t *order[2];
    uint32_t *codes[2]; /* of the first and the second column, positions in `sorted` */
    uint64_t *halves;   /* while writing */
} nfl__address_dict;

int nfl__address_dict_init(nfl__address_dict *addresses, nfl__memory *memory, uint32_t rows); /* 0 when out of memory */
void nfl__address_dict_free(nfl__address_dict *addresses, nfl__memory *memory);

/* The dictionary and codes of a column, or of two. Rows without the field take the code before them. */
void nfl__address_dict_collect(nfl__address_dict *addresses, const nfl__column *first, const nfl__column *second, uint32_t rows);

/* Append the dictionary; 0 when out of memory. */
int nfl__address_dict_write(nfl__address_dict *addresses, nfl__numbers_work *work, unsigned how, nfl__buffer *out);

#endif
