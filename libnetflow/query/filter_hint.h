/* "did you mean": the known word nearest to one that is not known. */
#ifndef NFL_QUERY_FILTER_HINT_H
#define NFL_QUERY_FILTER_HINT_H

#include <stddef.h>

#define NFL__HINT_SIZE 48u

/* Write " (did you mean 'src_port'?)" to dst, or the empty string when nothing is near. keywords: also
 * consider the words of the filter language, not only field names. */
void nfl__filter_hint(const char *word, size_t len, int keywords, char dst[NFL__HINT_SIZE]);

#endif
