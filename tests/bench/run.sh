#!/usr/bin/env bash
# Side by side with Debian's nfdump in one run: import, bytes per flow, top 10 sources, a selective filter.
#   tests/bench/run.sh [FLOWS]      default 1,000,000 generated NetFlow v9 flows over 24 hours
# nfcapd is fed over loopback (its only way in), so its import time is not comparable and not printed. Machines are
# shared and noisy: read the ratios. One thread each.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
flows=${1:-1000000}
cmake --preset release -DNFL_BUILD_BENCH=ON > /dev/null
cmake --build --preset release > build/bench.log 2>&1 || { tail build/bench.log; exit 1; }
bin=$top/build/release/bin
work=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2> /dev/null || true; fi; rm -rf "$work"' EXIT

echo "commit $(git rev-parse --short HEAD), $(nproc) cores, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $flows flows"
totals=$("$bin/nfl_generate" --out "$work/trace.pcap" --flows "$flows" --version 9 --records 20)
echo "generated: $totals"

cpu() { # cpu COMMAND...: CPU seconds of a command
    local TIMEFORMAT='%U %S'
    { time "$@" > "$work/out" 2>&1; } 2>&1 | tail -n 1 | awk '{printf "%.3f", $1 + $2}'
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", (b > 0 ? a / b : 0) }'; }

import=$(cpu "$bin/netflow" import -s "$work/store" "$work/trace.pcap")
ours=$(du -sb "$work/store/segments" | cut -f1)
awk -v s="$import" -v n="$flows" 'BEGIN { printf "import          netflow %.2f s CPU, %.2f M flows/s\n", s, n / s / 1e6 }'

if ! command -v nfcapd > /dev/null; then
    echo 'nfcapd is not installed: no comparison'
    exit 0
fi
mkdir "$work/nf"
nfcapd -w "$work/nf" -l "$work/nf" -p 29555 -b 127.0.0.1 -y -B 33554432 -t 3600 > /dev/null 2>&1 &
pid=$!
sleep 1
/usr/bin/python3 - "$work/trace.pcap" <<'PY'
import socket, struct, sys, time
data = open(sys.argv[1], 'rb').read()
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
at, sent = 24, 0
while at < len(data):
    length = struct.unpack_from('<I', data, at + 8)[0]
    sender.sendto(data[at + 44:at + 16 + length], ('127.0.0.1', 29555))
    at += 16 + length
    sent += 1
    if sent % 40 == 0:
        time.sleep(0.002)
PY
sleep 2
kill "$pid"
wait "$pid" 2> /dev/null || true
pid=
theirs=$(du -sb "$work/nf" | cut -f1)
kept=$(nfdump -R "$work/nf" -I 2> /dev/null | sed -n 's/^Flows: //p')
echo "nfcapd kept     $kept of $flows flows"
awk -v a="$ours" -v b="$theirs" -v n="$flows" -v k="$kept" 'BEGIN { printf "bytes per flow  netflow %.1f, nfdump (lz4) %.1f, ratio %.2f\n", a / n, b / k, (b / k) / (a / n) }'

compare() { # compare NAME OUR-COMMAND -- THEIR-COMMAND
    local name=$1 mine=() peer=()
    shift
    while [ "$1" != -- ]; do mine+=("$1"); shift; done
    shift
    peer=("$@")
    local a b
    a=$(cpu "${mine[@]}")
    b=$(cpu "${peer[@]}")
    printf '%-15s netflow %s s CPU, nfdump %s s CPU, %s times faster\n' "$name" "$a" "$b" "$(ratio "$b" "$a")"
}
compare 'top 10 sources' "$bin/netflow" top -s "$work/store" --by src -n 10 -- nfdump -R "$work/nf" -s srcip/bytes -n 10
compare 'top 10 ports' "$bin/netflow" top -s "$work/store" --by dst_port -n 10 -- nfdump -R "$work/nf" -s dstport/bytes -n 10
compare 'rare address' "$bin/netflow" flows -s "$work/store" 'ip 203.0.113.77' -- nfdump -R "$work/nf" 'ip 203.0.113.77'
compare 'filter, list' "$bin/netflow" flows -s "$work/store" -n 0 --format csv 'src ip 10.0.0.3 and dst port 443' -- nfdump -R "$work/nf" -o csv 'src ip 10.0.0.3 and dst port 443'
