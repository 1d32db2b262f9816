#include "status.h"

#include <stdlib.h>

void status_init(status_board *s)
{
    *s = (status_board){0};
    pthread_mutex_init(&s->lock, NULL);
}

void status_done(status_board *s)
{
    free(s->data.domains);
    pthread_mutex_destroy(&s->lock);
}

void status_publish(status_board *s, status_data *data)
{
    pthread_mutex_lock(&s->lock);
    nfl_domain_info *before = s->data.domains;
    s->data = *data;
    data->domains = before;
    pthread_mutex_unlock(&s->lock);
}

static void status_write_listeners(const status_data *data, json *j)
{
    json_key(j, "listeners");
    json_open(j, '[');
    for (size_t i = 0; i < data->listener_count; i++) {
        const status_listener *listener = &data->listeners[i];
        json_open(j, '{');
        json_pair_text(j, "address", listener->address);
        json_pair_u64(j, "datagrams", listener->stats.datagrams);
        json_pair_u64(j, "bytes", listener->stats.bytes);
        json_pair_u64(j, "dropped", listener->stats.dropped);
        json_pair_u64(j, "too_long", listener->stats.too_long);
        json_pair_u64(j, "buffer_bytes", listener->stats.buffer_bytes);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void status_write_tcp(const status_data *data, json *j)
{
    json_key(j, "tcp");
    json_open(j, '[');
    for (size_t i = 0; i < data->tcp_count; i++) {
        const nfl_tcp_stats *stats = &data->tcp[i].stats;
        json_open(j, '{');
        json_pair_text(j, "address", data->tcp[i].address);
        json_pair_u64(j, "messages", stats->messages);
        json_pair_u64(j, "bytes", stats->bytes);
        json_pair_u64(j, "connections", stats->connections);
        json_pair_u64(j, "accepted", stats->accepted);
        json_pair_u64(j, "refused", stats->refused);
        json_pair_u64(j, "idle", stats->idle);
        json_pair_u64(j, "broken", stats->broken);
        json_close(j, '}');
    }
    json_close(j, ']');
}

/* What sequence numbers count depends on the protocol; NetFlow v1 has none. */
static const char *status_loss_unit(uint16_t version)
{
    static const struct {
        uint16_t version;
        const char *unit;
    } units[] = {{9, "datagrams"}, {NFL_VERSION_SFLOW5, "datagrams"}, {10, "records"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (units[i].version == version)
            return units[i].unit;
    return "flows";
}

static void status_write_exporter(const nfl_domain_info *domain, json *j)
{
    json_open(j, '{');
    json_key(j, "exporter");
    json_ip(j, &domain->exporter);
    json_pair_u64(j, "version", domain->version);
    json_pair_u64(j, "domain", domain->domain);
    json_pair_u64(j, "templates", domain->templates);
    json_pair_u64(j, "sampling", domain->sampling);
    json_pair_time(j, "first_seen", domain->first_seen_us);
    json_pair_time(j, "last_seen", domain->last_seen_us);
    json_pair_u64(j, "datagrams", domain->datagrams);
    json_pair_u64(j, "flows", domain->flows);
    json_pair_u64(j, "lost", domain->lost);
    json_pair_text(j, "lost_unit", status_loss_unit(domain->version));
    json_pair_u64(j, "late", domain->late);
    json_pair_u64(j, "duplicates", domain->duplicates);
    json_pair_u64(j, "restarts", domain->restarts);
    json_pair_u64(j, "pending_bytes", domain->pending_bytes);
    json_pair_u64(j, "names", domain->names);
    json_close(j, '}');
}

static void status_write_decoder(const nfl_parser_stats *stats, json *j)
{
    json_key(j, "decoder");
    json_open(j, '{');
    json_pair_u64(j, "datagrams", stats->datagrams);
    json_pair_u64(j, "bytes", stats->bytes);
    json_pair_u64(j, "flows", stats->flows);
    json_pair_u64(j, "bad_datagrams", stats->bad_datagrams);
    json_pair_u64(j, "bad_sets", stats->bad_sets);
    json_pair_u64(j, "options_records", stats->options_records);
    json_pair_u64(j, "other_records", stats->other_records);
    json_pair_u64(j, "templates", stats->templates);
    json_pair_u64(j, "refused_templates", stats->refused_templates);
    json_pair_u64(j, "unknown_sets", stats->unknown_sets);
    json_pair_u64(j, "replayed_sets", stats->replayed_sets);
    json_pair_u64(j, "dropped_sets", stats->dropped_sets);
    json_pair_u64(j, "lost_flows", stats->lost_flows);
    json_pair_u64(j, "lost_datagrams", stats->lost_datagrams);
    json_pair_u64(j, "lost_records", stats->lost_records);
    json_pair_u64(j, "late_datagrams", stats->late_datagrams);
    json_pair_u64(j, "duplicate_datagrams", stats->duplicate_datagrams);
    json_pair_u64(j, "restarts", stats->restarts);
    json_pair_u64(j, "memory_bytes", stats->memory_bytes);
    json_close(j, '}');
}

void status_write(status_board *s, json *j)
{
    pthread_mutex_lock(&s->lock);
    const status_data *data = &s->data;
    json_pair_time(j, "now", data->now_us);
    json_pair_time(j, "started", data->started_us);
    json_pair_u64(j, "uptime_s", (uint64_t)((data->now_us - data->started_us) / 1000000));
    json_key(j, "flows_per_s");
    json_double(j, data->flows_per_s);
    json_key(j, "datagrams_per_s");
    json_double(j, data->datagrams_per_s);
    json_pair_u64(j, "dropped_flows", data->dropped_flows);
    json_pair_text(j, "problem", *data->problem ? data->problem : NULL);
    json_pair_time(j, "problem_at", data->problem_us);
    status_write_listeners(data, j);
    status_write_tcp(data, j);
    json_key(j, "exporters");
    json_open(j, '[');
    for (size_t i = 0; i < data->domain_count; i++)
        status_write_exporter(&data->domains[i], j);
    json_close(j, ']');
    status_write_decoder(&data->parser, j);
    pthread_mutex_unlock(&s->lock);
}
