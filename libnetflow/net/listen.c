#define _GNU_SOURCE /* SOCK_NONBLOCK, SOCK_CLOEXEC */
#include "net/listen.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* "host:port" split: host without brackets ("" = every address) into `host`, port returned; -1 if malformed. */
static int32_t listen_split(const char *address, char host[NFL_IP_TEXT_SIZE])
{
    const char *colon = strrchr(address, ':');
    if (!colon)
        return -1;
    int32_t port = 0;
    const char *p = colon + 1;
    for (; *p >= '0' && *p <= '9' && port <= UINT16_MAX; p++)
        port = port * 10 + (*p - '0');
    size_t len = (size_t)(colon - address);
    const char *start = address;
    if (len >= 2 && start[0] == '[' && start[len - 1] == ']') {
        start++;
        len -= 2;
    }
    if (p == colon + 1 || *p || port > UINT16_MAX || len >= NFL_IP_TEXT_SIZE)
        return -1;
    memcpy(host, start, len);
    host[len] = 0;
    return port;
}

static nfl_status listen_parse(const char *address, nfl_ip *ip, uint16_t *port, nfl_error *err)
{
    char host[NFL_IP_TEXT_SIZE];
    int32_t number = listen_split(address, host);
    static const nfl_ip every = {{0}};
    *ip = every;
    if (number < 0 || (host[0] && nfl_ip_parse(host, ip, NULL) != NFL_OK))
        return nfl__fail(err, NFL_E_SYNTAX, 0, "'%.80s' is no address to listen on: expected 127.0.0.1:2055, [::1]:2055 or :2055",
                         address);
    *port = (uint16_t)number;
    return NFL_OK;
}

nfl_status nfl__listen_socket(const char *address, int type, int protocol, int *fd, struct sockaddr_in6 *out, nfl_error *err)
{
    nfl_ip ip;
    uint16_t port;
    int off = 0;
    NFL_TRY(listen_parse(address, &ip, &port, err));
    *out = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&out->sin6_addr, ip.b, sizeof ip.b);
    *fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (*fd < 0 || setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
        return nfl__fail_io(err, errno, "socket for %.80s", address);
    return NFL_OK;
}

nfl_status nfl__listen_bind(int fd, const char *address, const struct sockaddr_in6 *wanted, nfl_ip *ip, uint16_t *port, nfl_error *err)
{
    struct sockaddr_in6 local;
    socklen_t len = sizeof local;
    if (bind(fd, (const struct sockaddr *)wanted, sizeof *wanted) < 0)
        return nfl__fail_io(err, errno, "listen on %.80s", address);
    if (getsockname(fd, (struct sockaddr *)&local, &len) < 0)
        return nfl__fail_io(err, errno, "address of %.80s", address);
    *port = ntohs(local.sin6_port);
    memcpy(ip->b, &local.sin6_addr, sizeof ip->b);
    return NFL_OK;
}
