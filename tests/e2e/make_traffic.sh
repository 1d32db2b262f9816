#!/usr/bin/env bash
# Capture of real traffic between network namespaces of our own: curl over HTTP, DNS, ssh, ping, IPv4 and IPv6.
# Usage: make_traffic.sh OUT.pcap [SECONDS]    needs root, ip, tcpdump, curl, dnsmasq, sshd, python3
# Addresses are from the documentation ranges; nothing leaves the namespaces.
set -eu
out=${1:?usage: make_traffic.sh OUT.pcap [SECONDS]}
seconds=${2:-20}
for tool in ip tcpdump curl dnsmasq sshd ssh ssh-keygen python3 ping; do
    PATH=$PATH:/usr/sbin:/sbin command -v $tool > /dev/null || { echo "make_traffic.sh: no $tool" >&2; exit 1; }
done
PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" -eq 0 ] || { echo "make_traffic.sh: needs root for network namespaces" >&2; exit 1; }

lan=nflan$$ srv=nfsrv$$
work=$(mktemp -d)
pids=()
finish() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2> /dev/null || true; done
    ip netns del "$lan" 2> /dev/null || true
    ip netns del "$srv" 2> /dev/null || true
    rm -rf "$work"
}
trap finish EXIT

ip netns add "$lan"
ip netns add "$srv"
ip link add lan0 netns "$lan" type veth peer name srv0 netns "$srv"
for host in 10 11 12; do
    ip -n "$lan" address add 192.0.2.$host/24 dev lan0
    ip -n "$lan" address add 2001:db8:1::$host/64 dev lan0 nodad
done
for host in 53 80 22; do
    ip -n "$srv" address add 198.51.100.$host/24 dev srv0
    ip -n "$srv" address add 2001:db8:2::$host/64 dev srv0 nodad
done
for ns in "$lan" "$srv"; do ip -n "$ns" link set lo up; done
ip -n "$lan" link set lan0 up
ip -n "$srv" link set srv0 up
ip -n "$lan" route add 198.51.100.0/24 dev lan0
ip -n "$srv" route add 192.0.2.0/24 dev srv0
ip -n "$lan" route add 2001:db8:2::/64 dev lan0
ip -n "$srv" route add 2001:db8:1::/64 dev srv0

mkdir -p "$work/www" "$work/sshd" /run/sshd
for size in 1 20 300 2000; do head -c "${size}000" /dev/urandom > "$work/www/$size.bin"; done
ip netns exec "$srv" python3 -m http.server 80 --bind :: --directory "$work/www" > /dev/null 2>&1 &
pids+=($!)
ip netns exec "$srv" dnsmasq -k -C /dev/null --user=root --no-resolv --no-hosts --pid-file="$work/dns.pid" \
    --interface=srv0 --bind-interfaces --address=/example/198.51.100.80 --host-record=www.example,198.51.100.80,2001:db8:2::80 > /dev/null 2>&1 &
pids+=($!)
ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
ssh-keygen -q -t ed25519 -N '' -f "$work/user_key"
cp "$work/user_key.pub" "$work/authorized"
chmod 700 "$work"
ip netns exec "$srv" "$(command -v sshd)" -D -e -f /dev/null -h "$work/host_key" -p 22 \
    -o AuthorizedKeysFile="$work/authorized" -o StrictModes=no -o UsePAM=no -o PermitRootLogin=yes -o PidFile=none > "$work/sshd.log" 2>&1 &
pids+=($!)
ip netns exec "$lan" tcpdump -i lan0 -U -B 8192 -s 0 -w "$work/out.pcap" 'ip or ip6' > /dev/null 2>&1 &
tcpdump=$!
pids+=("$tcpdump")
sleep 1

client() { ip netns exec "$lan" "$@" > /dev/null 2>&1 || true; }
query() { # query NAME SOURCE SERVER: one DNS question
    client python3 - "$@" <<'PY'
import random, socket, struct, sys
name, source, server = sys.argv[1:]
family = socket.AF_INET6 if ':' in server else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.settimeout(1)
s.bind((source, 0))
question = b''.join(bytes([len(p)]) + p.encode() for p in name.split('.')) + b'\0\0\1\0\1'
s.sendto(struct.pack('>6H', random.getrandbits(16), 0x100, 1, 0, 0, 0) + question, (server, 53))
s.recv(1500)
PY
}
remote() { # remote SOURCE SERVER COMMAND: one ssh session
    client ssh -F /dev/null -b "$1" -i "$work/user_key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o ConnectTimeout=3 "root@$2" "$3"
}

end=$((SECONDS + seconds))
round=0
while [ $SECONDS -lt $end ]; do
    round=$((round + 1))
    query www.example 192.0.2.10 198.51.100.53
    client curl -s --max-time 5 --interface 192.0.2.10 -o /dev/null http://198.51.100.80/20.bin
    client curl -s --max-time 5 --interface 192.0.2.11 -o /dev/null http://198.51.100.80/300.bin
    query mail.example 2001:db8:1::11 2001:db8:2::53
    client curl -s --max-time 5 --interface 2001:db8:1::12 -o /dev/null "http://[2001:db8:2::80]/1.bin"
    client ping -q -c 2 -i 0.2 -I 192.0.2.12 198.51.100.80
    [ $((round % 3)) -ne 0 ] || client ping -6 -q -c 1 -I 2001:db8:1::10 2001:db8:2::22
    [ $((round % 4)) -ne 0 ] || remote 192.0.2.11 198.51.100.22 'head -c 40000 /dev/zero'
    [ $((round % 5)) -ne 0 ] || client curl -s --max-time 2 --interface 192.0.2.12 http://198.51.100.22:8081/
    sleep 0.2
done
client curl -s --max-time 10 --interface 192.0.2.10 -o /dev/null http://198.51.100.80/2000.bin
sleep 1
kill -INT "$tcpdump"
wait "$tcpdump" 2> /dev/null || true
cp "$work/out.pcap" "$out"
