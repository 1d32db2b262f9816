/* Constants of segment files, shared by the writing and the reading half; see segment.h. */
#ifndef NFL_STORE_SEGMENT_FORMAT_H
#define NFL_STORE_SEGMENT_FORMAT_H

#define SEGMENT_MAGIC "NFLSEG1\n"
#define SEGMENT_END_MAGIC "NFLSEGE\n"

enum {
    SEGMENT_VERSION = 1,
    SEGMENT_HEAD = 16,
    SEGMENT_FOOTER = 48,
    SEGMENT_SECTION = 32,       /* entry of the section table */
    SEGMENT_DIRECTORY = 1,      /* section types */
    SEGMENT_ADDRESSES = 2,
    SEGMENT_ORIGIN = 3,
    SEGMENT_SUMS = 4,
    SEGMENT_MUST_UNDERSTAND = 1, /* section flag */
    SEGMENT_DIRECTORY_HEAD = 48,
    SEGMENT_CHUNK = 32,         /* entry of the directory, without its zone */
    SEGMENT_ZSTD = 1,           /* compression */
    SEGMENT_RAW_MAX = 1 << 24,  /* no chunk is longer before compression */
    SEGMENT_CHUNK_HAS_NULL = 1, /* chunk flags */
    SEGMENT_CHUNK_ADDRESSES = 2
};

#endif
