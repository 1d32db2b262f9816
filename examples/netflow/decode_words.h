/* What the numbers of some elements stand for, in IANA's words. */
#ifndef NETFLOW_TOOL_DECODE_WORDS_H
#define NETFLOW_TOOL_DECODE_WORDS_H

#include <stdint.h>

/* NULL when the registries have no word for it. */
const char *decode_word(uint16_t element, uint64_t value);

#endif
