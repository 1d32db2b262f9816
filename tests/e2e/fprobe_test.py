#!/usr/bin/python3
"""Debian's fprobe reads a capture and exports it as NetFlow v1, v5 and v7 to netflowd. What is stored are the capture's own sums
for every pair of addresses, ports and protocol."""
import collections
import pathlib
import socket
import struct
import subprocess
import tempfile
import unittest

from peers import BIN, TOP, Netflowd, add, need, rows, totals

CAPTURE = TOP / 'examples/data/traffic.pcap'
ETHERTYPE_IPV4 = 0x0800


def packets():
    """Ethernet frames of the capture that hold IPv4; those cut by its snapshot length stay cut."""
    data, at = CAPTURE.read_bytes(), 24
    while at + 16 <= len(data):
        length = struct.unpack_from('<I', data, at + 8)[0]
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        if struct.unpack_from('>H', frame, 12)[0] == ETHERTYPE_IPV4:
            yield frame


def sums_of_the_capture():
    """{(source, destination, source port, destination port, protocol): (octets, packets)}; ICMP has no ports."""
    sums = collections.defaultdict(lambda: (0, 0))
    for frame in packets():
        header = 14 + (frame[14] & 15) * 4
        proto = frame[23]
        ports = struct.unpack_from('>HH', frame, header) if proto in (6, 17) else (0, 0)
        key = (socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34]), *ports, proto)
        octets, count = sums[key]
        sums[key] = (octets + struct.unpack_from('>H', frame, 16)[0], count + 1)
    return dict(sums)


class Fprobe(unittest.TestCase):
    def setUp(self):
        self.fprobe = need('fprobe')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)

    def check(self, version):
        want, store = sums_of_the_capture(), self.work / 'store'
        with Netflowd(store) as daemon, CAPTURE.open('rb') as capture:
            # With its usual queue (-q) fprobe drops most of the packets of a file. It ends with the file.
            subprocess.run([self.fprobe, '-i', '-', '-f', 'ip', '-q', '2000', '-n', str(version), '-l', '2:test', '-u', 'root',
                            f'127.0.0.1:{daemon.port}'], stdin=capture, check=True, capture_output=True, timeout=60)
            daemon.wait_for(len(want))
        self.assertEqual(add(totals(store))[1:], add(want))
        stored = collections.defaultdict(lambda: (0, 0))
        for f in rows([BIN / 'netflow', 'flows', '-s', store, '-n', '0', '--format', 'json']):
            self.assertEqual(f['version'], version)
            key = (f['src'], f['dst'], f.get('src_port', 0), f.get('dst_port', 0), f['proto'])
            stored[key] = (stored[key][0] + f['bytes'], stored[key][1] + f['packets'])
        self.assertEqual(dict(stored), want)

    def test_netflow_v1(self):
        self.check(1)

    def test_netflow_v5(self):
        self.check(5)

    def test_netflow_v7(self):
        self.check(7)


if __name__ == '__main__':
    unittest.main()
