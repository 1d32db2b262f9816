#include "address.h"

#include <arpa/inet.h>
#include <netflow/ip.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int address_is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == '\0' && strtoul(text, NULL, 10) <= 65535;
}

int address_split(const char *text, char *host, size_t capacity, const char **port)
{
    int bracket = *text == '[';
    size_t len = bracket ? strcspn(++text, "]") : strcspn(text, ":");
    if (len >= capacity || (bracket && text[len] != ']'))
        return 0;
    memcpy(host, text, len);
    host[len] = '\0';
    const char *rest = text + len + bracket;
    if (*rest != '\0' && (*rest != ':' || !address_is_port(rest + 1)))
        return 0;
    if (port)
        *port = *rest ? rest + 1 : NULL;
    return 1;
}

int address_parse(const char *text, address *out)
{
    char host[NFL_IP_TEXT_SIZE];
    const char *port;
    nfl_ip ip;
    if (!address_split(text, host, sizeof host, &port) || !port)
        return 0;
    if (nfl_ip_parse(*host ? host : "0.0.0.0", &ip, NULL) < 0)
        return 0;
    uint16_t number = htons((uint16_t)strtoul(port, NULL, 10));
    *out = (address){0};
    if (nfl_ip_is_v4(&ip)) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = number};
        memcpy(&v4.sin_addr, ip.b + 12, 4);
        memcpy(&out->storage, &v4, sizeof v4);
        out->len = sizeof v4;
    } else {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = number};
        memcpy(&v6.sin6_addr, ip.b, 16);
        memcpy(&out->storage, &v6, sizeof v6);
        out->len = sizeof v6;
    }
    return 1;
}

void address_format(const address *a, char *dst, size_t capacity)
{
    char text[NFL_IP_TEXT_SIZE];
    nfl_ip ip;
    if (a->storage.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &a->storage, sizeof v4);
        ip = nfl_ip_from_v4(ntohl(v4.sin_addr.s_addr));
        nfl_ip_format(&ip, text, sizeof text);
        snprintf(dst, capacity, "%s:%u", text, (unsigned)ntohs(v4.sin_port));
    } else {
        struct sockaddr_in6 v6;
        memcpy(&v6, &a->storage, sizeof v6);
        memcpy(ip.b, &v6.sin6_addr, 16);
        nfl_ip_format(&ip, text, sizeof text);
        snprintf(dst, capacity, "[%s]:%u", text, (unsigned)ntohs(v6.sin6_port));
    }
}
