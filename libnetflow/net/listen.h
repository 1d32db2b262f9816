/* Addresses to listen on: "127.0.0.1:2055", "[::1]:2055", ":2055" (every address). */
#ifndef NFL_NET_LISTEN_H
#define NFL_NET_LISTEN_H

#include <netflow/ip.h>

#include <netinet/in.h>

/* A socket of this type and protocol with an IPv6 address, which takes IPv4 in mapped form; non-blocking, not bound. *fd is
 * set as soon as there is one, failure or not. NFL_E_SYNTAX if the text is no such address, NFL_E_IO. */
nfl_status nfl__listen_socket(const char *address, int type, int protocol, int *fd, struct sockaddr_in6 *out, nfl_error *err);

/* Bind, and tell what was bound. */
nfl_status nfl__listen_bind(int fd, const char *address, const struct sockaddr_in6 *wanted, nfl_ip *ip, uint16_t *port, nfl_error *err);

#endif
