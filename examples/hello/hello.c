/* hello CAPTURE, or hello ADDRESS:PORT for what routers send within a minute: the heaviest sources. */
#include <netflow/netflow.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
int main(int argc, char **argv)
{
    const char *from = argc > 1 ? argv[1] : "127.0.0.1:2055";
    nfl_error err;
    nfl_engine *engine = NULL;
    nfl_capture *file = NULL;
    nfl_udp *udp = NULL;
    nfl_status status = nfl_engine_new(NULL, &engine, &err);
    if (status == NFL_OK && nfl_capture_new(from, NULL, &file, NULL) < 0)
        status = nfl_udp_new(from, NULL, &udp, &err);
    const nfl_datagram *d;
    for (time_t end = time(NULL) + 60; status >= 0 && status != NFL_DONE && (file || time(NULL) < end);)
        if ((status = file ? nfl_capture_next(file, &d, &err) : nfl_udp_next(udp, &d, &err)) == NFL_OK)
            (void)!nfl_engine_feed(engine, &d->src, d->time_us, d->data, d->len, NULL); /* counts bad ones */
        else if (status == NFL_PENDING)
            poll(&(struct pollfd){nfl_udp_fd(udp), POLLIN, 0}, 1, 1000);
    nfl_topk_item top[10];
    char text[NFL_IP_TEXT_SIZE];
    for (size_t i = 0, count = engine ? nfl_engine_top(engine, NFL_TOP_SRC, top, 10) : 0; i < count; i++)
        if (nfl_ip_format((const nfl_ip *)top[i].key, text, sizeof text))
            printf("%-40s %12llu bytes\n", text, (unsigned long long)top[i].weight);
    nfl_capture_free(file), nfl_udp_free(udp), nfl_engine_free(engine);
    return status < 0 ? fprintf(stderr, "hello: %s\n", err.message), 1 : 0;
}
