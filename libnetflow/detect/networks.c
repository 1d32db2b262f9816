#include "detect/networks.h"

#include "base/error.h"

#include <string.h>

#define NETWORKS_MAX_PREFIX 64

/* RFC 1918, 3927, 6598, 1122; RFC 4193, 4291 */
static const char networks_private[] = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,100.64.0.0/10,"
                                       "127.0.0.0/8,fc00::/7,fe80::/10,::1";

static nfl_status networks_add(nfl__networks *networks, nfl__memory *memory, const char *text, size_t len,
                               size_t column, nfl_error *err)
{
    char prefix[NETWORKS_MAX_PREFIX];
    nfl__network network;
    if (len >= sizeof prefix)
        return nfl__fail(err, NFL_E_SYNTAX, column, "a network of %zu characters", len);
    memcpy(prefix, text, len);
    prefix[len] = 0;
    nfl_status status = nfl_ip_parse_prefix(prefix, &network.first, &network.last, err);
    if (status < 0) {
        if (err && err->offset != NFL_NO_OFFSET)
            err->offset += column;
        return status;
    }
    if (!nfl__grow(memory, (void **)&networks->list, &networks->capacity, networks->count + 1,
                   sizeof network))
        return nfl__fail_nomem(err, sizeof network);
    networks->list[networks->count++] = network;
    return NFL_OK;
}

nfl_status nfl__networks_parse(nfl__networks *networks, nfl__memory *memory, const char *text, nfl_error *err)
{
    text = text ? text : networks_private;
    size_t column = 0;
    for (;;) {
        column += strspn(text + column, " ,");
        if (!text[column])
            return NFL_OK;
        size_t len = strcspn(text + column, " ,");
        NFL_TRY(networks_add(networks, memory, text + column, len, column, err));
        column += len;
    }
}

void nfl__networks_free(nfl__networks *networks, nfl__memory *memory)
{
    nfl__delete(memory, networks->list, networks->capacity, sizeof *networks->list);
    *networks = (nfl__networks){NULL, 0, 0};
}

int nfl__networks_contain(const nfl__networks *networks, const nfl_ip *ip)
{
    for (size_t i = 0; i < networks->count; i++)
        if (nfl_ip_compare(ip, &networks->list[i].first) >= 0 &&
            nfl_ip_compare(ip, &networks->list[i].last) <= 0)
            return 1;
    return 0;
}
