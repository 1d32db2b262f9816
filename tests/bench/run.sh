#!/usr/bin/env bash
# Side by side with Debian's nfdump in one run: import, bytes per flow, and the questions that users ask.
#   tests/bench/run.sh [FLOWS]      default 1,000,000 generated NetFlow v9 flows over 24 hours
# CPU seconds (user and system, one thread) and peak memory of whole processes. nfcapd is fed over loopback (its only way in),
# so its import time is not comparable and not printed. Machines are shared and noisy: read the ratios.
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
echo "generated: $("$bin/nfl_generate" --out "$work/trace.pcap" --flows "$flows" --version 9 --records 20)"

# cost COMMAND...: CPU seconds and peak megabytes of a command, best of three.
cost() {
    /usr/bin/python3 - "$@" <<'PY'
import os, sys
best = None
for _ in range(3):
    child = os.fork()
    if child == 0:
        os.dup2(os.open('/dev/null', os.O_WRONLY), 1)
        os.execvp(sys.argv[1], sys.argv[1:])
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f'{sys.argv[1:]}: status {status}')
    seconds = usage.ru_utime + usage.ru_stime
    here = (seconds, usage.ru_maxrss // 1024)
    best = min(best, here) if best else here
print('%.4f %d' % best)
PY
}
once() { # the same, of a command that changes something
    /usr/bin/python3 - "$@" <<'PY'
import os, sys
child = os.fork()
if child == 0:
    os.dup2(os.open('/dev/null', os.O_WRONLY), 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print('%.3f %d' % (usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024))
PY
}

read -r import import_memory <<< "$(once "$bin/netflow" import -s "$work/store" "$work/trace.pcap")"
sealed=$(du -sb "$work/store/segments" | cut -f1)
cp -r "$work/store" "$work/compact"
read -r compact compact_memory <<< "$(once "$bin/netflow" compact -s "$work/compact")"
small=$(du -sb "$work/compact/segments" | cut -f1)
awk -v s="$import" -v c="$compact" -v n="$flows" -v m="$import_memory" -v k="$compact_memory" 'BEGIN {
    printf "import               %.2f M flows per CPU second sealed (%d MB), %.2f with compaction (%d MB)\n", n / s / 1e6, m, n / (s + c) / 1e6, k }'
awk -v a="$sealed" -v b="$small" -v n="$flows" 'BEGIN { printf "bytes per flow       %.1f sealed, %.1f compacted\n", a / n, b / n }'

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
awk -v b="$theirs" -v k="$kept" -v n="$flows" 'BEGIN { printf "nfdump (lz4)         %.1f bytes per flow; kept %d of %d flows\n\n", b / k, k, n }'
printf '%-20s %22s %22s %22s\n' '' 'nfdump' 'sealed' 'compacted'

compare() { # compare NAME 'OUR ARGUMENTS, STORE for the store' THEIR-ARGUMENT...
    local name=$1 mine=$2 store peer_s peer_mb s mb
    shift 2
    read -r peer_s peer_mb <<< "$(cost nfdump -R "$work/nf" "$@")"
    printf '%-20s %9.3f s %7d MB' "$name" "$peer_s" "$peer_mb"
    for store in "$work/store" "$work/compact"; do
        # shellcheck disable=SC2086
        read -r s mb <<< "$(IFS=@ && set -f && cost "$bin/netflow" ${mine//STORE/$store})"
        awk -v a="$peer_s" -v b="$s" -v m="$mb" 'BEGIN { printf " %8.3f s %4d MB %5.0fx", b, m, a / (b > 0 ? b : 0.0005) }'
    done
    printf '\n'
}
# Arguments of ours are separated by @.
compare 'top 10 sources' 'top@-s@STORE@--by@src@-n@10' -s srcip/bytes -n 10
compare 'top 10 ports' 'top@-s@STORE@--by@dst_port@-n@10' -s dstport/bytes -n 10
compare 'those, and dest.' 'top@-s@STORE@--by@src;dst;dst_port@-n@10' -s srcip/bytes -s dstip/bytes -s dstport/bytes -n 10
compare 'source, dest., port' 'top@-s@STORE@--by@src,dst,dst_port@-n@10' -A srcip,dstip,dstport -O bytes -n 10
compare ' in 600 MB' 'top@-s@STORE@--by@src,dst,dst_port@-n@10@--memory@600M' -A srcip,dstip,dstport -O bytes -n 10
compare '20 biggest flows' 'flows@-s@STORE@--order@bytes@--desc@-n@20' -O bytes -n 20
compare 'filtered list' 'flows@-s@STORE@-n@0@--format@csv@src ip 10.0.0.3 and dst port 443' -o csv 'src ip 10.0.0.3 and dst port 443'
compare 'absent address' 'flows@-s@STORE@ip 203.0.113.77' 'ip 203.0.113.77'
compare '15 minutes, sources' 'top@-s@STORE@--by@src@-n@10@--from@2026-11-23T12:00:00Z@--to@2026-11-23T12:15:00Z' \
    -t 2026/11/23.12:00:00-2026/11/23.12:15:00 -s srcip/bytes -n 10

# Every record as text, in what each tool calls CSV and JSON: records and megabytes of text a CPU second.
speed() { # speed RECORDS COMMAND...
    local rows=$1 bytes s mb
    shift
    bytes=$("$@" 2> /dev/null | wc -c)
    read -r s mb <<< "$(cost "$@")"
    awk -v n="$rows" -v b="$bytes" -v s="$s" -v m="$mb" 'BEGIN { printf " %6.2f M/s %5.0f MB/s %4d MB", n / s / 1e6, b / s / 1e6, m }'
}
printf '\n%-20s %28s %28s\n' '' 'nfdump' 'sealed'
for form in csv json; do
    printf '%-20s' "every record, $form"
    speed "$kept" nfdump -q -R "$work/nf" -o "$form"
    speed "$flows" "$bin/netflow" flows -s "$work/store" -n 0 --format "$form"
    printf '\n'
done
