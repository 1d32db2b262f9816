"""The same filter text selects the same flows here and in Debian's nfdump: flows, packets and octets are equal for
every filter of the list, over generated flows that nfcapd and `netflow import` both read."""
import pathlib
import re
import tempfile
import unittest

import encoder_test as peer

FLOWS = 4000
# Texts that both accept; "ours => nfdump's" where docs/reference/filter.md lists a difference.
FILTERS = """
any
not any
proto tcp
proto udp
proto 1
not proto tcp
inet
inet6
ipv4 and proto udp
ipv6
src ip {src}
dst ip {src}
ip {src}
host {src}
src host {src}
ip {src6}
dst host {src6}
net 10.0.0.0/8
src net 10.0.0.0/24
net 10.0.0.0 255.255.255.0
src net 10.0.0.0 255.255.255.240
not net 10.0.0.0/25
ip in [{src} {dst} {src6}]
ip in [{src}, {dst}]
src ip in [{src},{dst},{src6}]
not ip in [{src} {dst}]
ip in [{src}, {dst}] and dst port 443
port 443
src port 443
dst port 53
port > 1023
src port > 50000
proto udp and dst port < 100
dst port >= 443
not proto icmp and dst port <= 443
port in [53 443]
dst port in [53, 80]
not src port in [53 80 443]
proto udp and port 53
flags S
flags SA
flags S and not flags AFRPU
flags A and not flags S
not flags F
tos 0
packets > 10
packets = 1
packets < 5
packets >= 5 and packets <= 20
bytes > 10k
bytes < 100
bytes > 1m
bytes >= 1000 and proto tcp
flows = 1
bpp > 500
bpp < 60
bps > 100k and duration >= 1s => bps > 100k and duration >= 1000
pps > 10 and duration >= 1s => pps > 10 and duration >= 1000
duration < 1s => duration < 1000
duration > 2500ms => duration > 2500
if 1
in if 1
out if 2
mask 24
src mask 16
icmp-type 8
icmp-type 8 and icmp-code 0
proto tcp and (dst port 443 or dst port 80) and bytes > 5k
(src ip {src} or dst ip {src}) and not proto udp
src ip {src} and dst port 443
proto tcp && dst port 443
proto icmp || proto udp
! proto tcp
packets gt 10
bytes LT 100
port EQ 443
""".strip().splitlines()


class NfdumpFilter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        generate, netflow = peer.need('nfl_generate'), peer.need('netflow')
        cls.nfdump = peer.need('nfdump')
        peer.need('nfcapd')
        cls.netflow = netflow
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.work = pathlib.Path(cls.folder.name)
        capture = cls.work / 'trace.pcap'
        peer.lines([generate, '--out', capture, '--flows', str(FLOWS), '--version', '9', '--hours', '1', '--seed', '7', '--v6', '30'])
        cls.store = cls.work / 'store'
        peer.lines([netflow, 'import', '-s', cls.store, capture])
        cls.captured = cls.work / 'nfcapd'
        cls.captured.mkdir()
        cls.collect(capture)
        cls.words = {'src': cls.heaviest('src', 'inet'), 'dst': cls.heaviest('dst', 'inet'), 'src6': cls.heaviest('src', 'inet6')}

    @classmethod
    def collect(cls, capture):
        port = peer.free_port()
        with (cls.work / 'nfcapd.log').open('wb') as output:
            daemon = peer.subprocess.Popen([peer.need('nfcapd'), '-w', cls.captured, '-b', '127.0.0.1', '-p', str(port), '-t', '3600', '-y'],
                                           stdout=output, stderr=output)
        try:
            peer.wait_until(lambda: peer.udp_state(port) or daemon.poll() is not None, 'nfcapd')
            dropped = peer.send_paced(capture, port)
        finally:
            daemon.terminate()
            daemon.wait(30)
        if dropped:
            raise AssertionError(f'the kernel dropped {dropped} datagrams')

    @classmethod
    def heaviest(cls, field, family):
        row = peer.lines([cls.netflow, 'top', '-s', cls.store, '--by', field, '-n', '1', '--format', 'json', family])[0]
        return peer.json.loads(row)[field]

    def theirs(self, text):
        """(flows, packets, octets) by nfdump."""
        out = '\n'.join(peer.lines([self.nfdump, '-R', self.captured, '-o', 'csv', '-N', text]))
        found = re.search(r'^Summary\nflows,bytes,packets,.*\n(\d+),(\d+),(\d+)', out, re.M)
        self.assertIsNotNone(found, f'{text}: nfdump printed no summary: {out[-300:]}')
        flows, octets, packets = map(int, found.groups())
        return flows, packets, octets

    def ours(self, text):
        rows = [peer.json.loads(line) for line in
                peer.lines([self.netflow, 'top', '-s', self.store, '--by', 'version', '-n', '2', '--format', 'json', text])]
        return tuple(sum(row[name] for row in rows) for name in ('flows', 'packets', 'bytes'))

    def test_same_text_same_flows(self):
        selective = 0
        for text in FILTERS:
            ours, _, different = text.format(**self.words).partition(' => ')
            with self.subTest(filter=text):
                theirs = self.theirs(different or ours)
                self.assertEqual(self.ours(ours), theirs)
                selective += 0 < theirs[0] < FLOWS
        self.assertGreater(selective, len(FILTERS) // 2, 'most filters must select some flows and leave others')


if __name__ == '__main__':
    unittest.main()
