#!/usr/bin/env bash
# From a bare Debian 12 to a running collector with real flows in it:
#   examples/quickstart.sh [--once]
# installs what is needed (apt), builds, starts netflowd on loopback, has softflowd export real traffic to it in
# NetFlow v5, v9 and IPFIX, prints the heaviest talkers and the dashboard's address, and waits for Ctrl-C.
# With --once it stops netflowd at the end (tests do that).
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
once=0
case ${1:-} in
    '') ;;
    --once) once=1 ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

step() { printf '\n== %s\n' "$*"; }
fail() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

step 'packages'
tools/packages.sh build demo

step 'build'
cmake --preset release > /dev/null || fail 'cmake failed, see above'
cmake --build --preset release > build/release/build.log 2>&1 || { tail -n 30 build/release/build.log >&2; fail 'the build failed'; }
PATH=$top/build/release/bin:$PATH:/usr/sbin
echo "built build/release/bin/netflow and netflowd"

step 'collector'
work=$(mktemp -d)
store=${NETFLOW_STORE:-$work/store}
daemon=
finish() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2> /dev/null || true
        wait "$daemon" 2> /dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 0' INT TERM
port=${NETFLOW_PORT:-2055} http=${NETFLOW_HTTP_PORT:-8080}
start_daemon() {
    netflowd --listen "127.0.0.1:$1" --http "127.0.0.1:$2" --store "$store" > "$work/netflowd.log" 2>&1 &
    daemon=$!
    for _ in $(seq 50); do
        grep -q '^netflowd: ready' "$work/netflowd.log" && return 0
        kill -0 "$daemon" 2> /dev/null || return 1
        sleep 0.1
    done
    return 1
}
if ! start_daemon "$port" "$http"; then
    cat "$work/netflowd.log" >&2
    kill "$daemon" 2> /dev/null || true
    echo "trying free ports instead of $port and $http"
    start_daemon 0 0 || { cat "$work/netflowd.log" >&2; fail 'netflowd does not start'; }
fi
ready=$(grep '^netflowd: ready' "$work/netflowd.log")
listen=$(sed -n 's/.*listen \([^ ,]*\).*/\1/p' <<< "$ready")
dashboard=$(sed -n 's/.*dashboard \([^ ,]*\).*/\1/p' <<< "$ready")

step "flows from softflowd to $listen"
# The capture is old; move its times so that it ends now, as live traffic would.
perl -e '
    local $/; open my $in, "<:raw", $ARGV[0] or die; my $d = <$in>; my ($pos, $last, @at) = (24, 0);
    while ($pos + 16 <= length $d) { my ($s, $us, $n) = unpack "VVV", substr $d, $pos, 12; push @at, $pos; $last = $s; $pos += 16 + $n }
    for (@at) { my $s = unpack "V", substr $d, $_, 4; substr($d, $_, 4) = pack "V", $s - $last + time - 1 }
    open my $out, ">:raw", $ARGV[1] or die; print $out $d' examples/data/traffic.pcap "$work/traffic.pcap"
for version in 5 9 10; do
    softflowd -d -r "$work/traffic.pcap" -n "$listen" -v $version -c none -p "$work/softflowd.pid" 2>&1 |
        sed -n "s/^Flows exported/NetFlow version $version: flows exported/p"
done
sleep 2

step 'top sources (netflow top)'
netflow top -s "$store" --by src -n 5
step 'web traffic in detail (netflow flows)'
netflow flows -s "$store" -n 5 --order bytes --desc 'port 80'

step 'what next'
cat <<TEXT
dashboard     $dashboard
your router   export NetFlow v5, v9 or IPFIX to this machine, UDP port ${listen##*:}. netflowd listens on loopback only
              until you say otherwise:  netflowd --listen 0.0.0.0:2055 --http 127.0.0.1:8080 --store /var/lib/netflow
              Cisco IOS:   flow exporter COLLECTOR / destination THIS-HOST / transport udp 2055
              Linux:       softflowd -i eth0 -v 9 -n THIS-HOST:2055
store         $store$([ -n "${NETFLOW_STORE:-}" ] || echo '   (deleted at the end; set NETFLOW_STORE to keep one)')
TEXT
if [ $once -eq 1 ]; then
    exit 0
fi
echo
echo 'Running; Ctrl-C stops it.'
wait "$daemon"
