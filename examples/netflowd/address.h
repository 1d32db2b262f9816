/* Socket addresses as text: "127.0.0.1:8080", "[::1]:8080", ":8080" (every address). */
#ifndef NETFLOWD_ADDRESS_H
#define NETFLOWD_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

typedef struct address {
    struct sockaddr_storage storage;
    socklen_t len;
} address;

/* Split "host:port" or "[host]:port"; the port may be missing. port is a pointer into text, or NULL; it is checked
 * to be a number up to 65535. Returns 0 when text is something else. */
int address_split(const char *text, char *host, size_t capacity, const char **port);

/* Returns 0 when text is no address with a port. */
int address_parse(const char *text, address *out);

void address_format(const address *a, char *dst, size_t capacity);

#endif
