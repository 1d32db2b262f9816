#!/usr/bin/env bash
# Many days in one store: what queries on a day, on a month and on all of it cost.
#   tests/bench/billion.sh FOLDER [DAYS] [FLOWS A DAY]      default 100 days of 10,000,000 flows: a billion
# FOLDER gets the store (about 11 bytes a flow) and one day's capture at a time (60 bytes a flow), and is left as it is; days that
# are there already are not loaded again. Takes about 10 s a day. CPU seconds of whole processes, best of three.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:?folder}
days=${2:-100}
flows=${3:-10000000}
cd "$top"
cmake --preset release -DNFL_BUILD_BENCH=ON > /dev/null
cmake --build --preset release > build/bench.log 2>&1 || { tail build/bench.log; exit 1; }
bin=$top/build/release/bin
mkdir -p "$folder"
store=$folder/store
loaded=$(cat "$folder/days" 2> /dev/null || echo 0)
while [ "$loaded" -lt "$days" ]; do
    "$bin/nfl_generate" --out "$folder/day.pcap" --flows "$flows" --version 9 --records 20 --seed $((loaded + 1)) --day "$loaded" > /dev/null
    "$bin/netflow" import -s "$store" "$folder/day.pcap" > /dev/null
    "$bin/netflow" compact -s "$store" > /dev/null
    loaded=$((loaded + 1))
    echo "$loaded" > "$folder/days"
done
rm -f "$folder/day.pcap"
"$bin/netflow" info -s "$store"

cost() { # cost NAME COMMAND...
    /usr/bin/python3 - "$@" <<'PY'
import os, sys, time
best = None
for _ in range(3):
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.dup2(os.open('/dev/null', os.O_WRONLY), 1)
        os.execvp(sys.argv[2], sys.argv[2:])
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f'{sys.argv[2:]}: status {status}')
    here = (usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss // 1024)
    best = min(best, here) if best else here
print('%-44s %8.3f CPU s %8.3f s %6d MB' % (sys.argv[1], *best))
PY
}
echo
q=$bin/netflow
middle=$(date -u -d "2026-11-23 + $((days / 2)) days" +%F)
after=$(date -u -d "2026-11-23 + $((days / 2 + 1)) days" +%F)
month=$(date -u -d "2026-11-23 + $((days / 2 + 30)) days" +%F)
cost 'top sources, a day' "$q" top -s "$store" --by src --from "$middle" --to "$after"
cost 'top sources, 30 days' "$q" top -s "$store" --by src --from "$middle" --to "$month"
cost 'top sources, all' "$q" top -s "$store" --by src
cost 'sources; destinations; ports, all' "$q" top -s "$store" --by 'src;dst;dst_port'
cost 'top applications, all' "$q" top -s "$store" --by app
cost 'series by day, all' "$q" series -s "$store" --bucket 1d
cost 'series by protocol and hour, all' "$q" series -s "$store" --bucket 1h --by proto
cost 'an address that never appeared, all' "$q" flows -s "$store" 'ip 203.0.113.77'
cost 'a rare address, all' "$q" flows -s "$store" 'ip 10.0.15.255 and port 53' -n 20
cost '20 biggest flows, a day' "$q" flows -s "$store" --order bytes --desc -n 20 --from "$middle" --to "$after"
cost 'filtered list, a day' "$q" flows -s "$store" -n 0 --format csv --from "$middle" --to "$after" 'src ip 10.0.0.3 and dst port 443'
cost 'source, destination, port, a day' "$q" top -s "$store" --by src,dst,dst_port --from "$middle" --to "$after"
