"""What the encoder writes is read by others: tshark finds nothing wrong with the datagrams of nfl_generate, and
tshark, Debian's nfcapd with nfdump, and netflow itself count the same flows, octets and packets as the generator
did, in NetFlow v5, v9 and IPFIX."""
import collections
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('NETFLOW_BIN_DIR', TOP / 'build/release/bin'))
PROTOCOLS = {'TCP': 6, 'UDP': 17, 'ICMP': 1}
FLOWS = 5001  # odd: the last request has no answer; every exporter sends its templates more than once
START_S = 1795392000  # the generator's day, 2026-11-23T00:00:00Z
PORT = 2055  # of the generated captures
QUEUE_BYTES = 65536  # waiting at the collector; the smallest default buffer of Linux is three times that


def need(name):
    """Path of a program, one of ours or the system's."""
    path = shutil.which(name, path=f'{TOP}/build/dev/bin:{BIN}:{os.environ["PATH"]}:/usr/sbin')
    if not path:
        raise unittest.SkipTest(f'{name} is not there')
    return path


def lines(command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.splitlines()


def payloads(capture):
    """UDP payloads of a generated capture: little-endian pcap, link type raw IP, no IP options."""
    data, at = capture.read_bytes(), 24
    while at < len(data):
        length = struct.unpack_from('<I', data, at + 8)[0]
        yield data[at + 16 + 28:at + 16 + length]
        at += 16 + length


def udp_state(port):
    """(bytes waiting, datagrams dropped) of the socket on 127.0.0.1:port by the kernel; None when nobody listens."""
    for line in pathlib.Path('/proc/net/udp').read_text().splitlines()[1:]:
        words = line.split()
        if words[1] == f'0100007F:{port:04X}':
            return int(words[4].split(':')[1], 16), int(words[-1])
    return None


def wait_until(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f'waited in vain for {what}')
        time.sleep(0.005)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def send_paced(capture, port):
    """Replay, never with more in the collector's buffer than it can hold; returns what the kernel dropped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for n, payload in enumerate(payloads(capture)):
            if n % 16 == 0:
                wait_until(lambda: udp_state(port)[0] < QUEUE_BYTES, 'room at the collector')
            sender.sendto(payload, ('127.0.0.1', port))
    wait_until(lambda: udp_state(port)[0] == 0, 'the collector to read everything')
    return udp_state(port)[1]


class Encoder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        generate = need('nfl_generate')
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = pathlib.Path(cls.folder.name)
        cls.captures, cls.totals = {}, {}
        for version in (5, 9, 10):
            cls.captures[version] = cls.work / f'v{version}.pcap'
            printed = lines([generate, '--out', cls.captures[version], '--flows', str(FLOWS), '--version', str(version),
                             '--hours', '1', '--seed', '3', '--v6', '30'])
            cls.totals[version] = json.loads(printed[0])

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def wanted(self, version):
        total = self.totals[version]
        return total['flows'], total['bytes'], total['packets']

    def check_sums(self, by_protocol, version):
        """{protocol: (flows, octets, packets)} adds up to what was generated."""
        sums = tuple(map(sum, zip(*by_protocol.values())))
        self.assertEqual(sums, self.wanted(version))
        self.assertEqual(set(by_protocol), set(PROTOCOLS.values()))

    def tshark(self, version):
        """{protocol: (flows, octets, packets)}, addresses of IPv6 flows, complaints."""
        fields = ['cflow.octets', 'cflow.packets', 'cflow.protocol', 'cflow.srcaddrv6', '_ws.expert.message', '_ws.malformed']
        out = lines([need('tshark'), '-n', '-r', self.captures[version], '-d', f'udp.port=={PORT},cflow', '-T', 'fields',
                     *(word for field in fields for word in ('-e', field))])
        sums, v6, complaints = collections.defaultdict(lambda: [0, 0, 0]), [], []
        self.assertEqual(len(out), self.totals[version]['datagrams'])
        for line in out:
            octets, packets, protocols, addresses, *wrong = line.split('\t')
            complaints += filter(None, wrong)
            v6 += filter(None, addresses.split(','))
            columns = [column.split(',') for column in (protocols, octets, packets)]
            self.assertEqual(len(set(map(len, columns))), 1, line)
            for protocol, *counters in zip(*columns):
                for i, value in enumerate((1, *map(int, counters))):
                    sums[int(protocol)][i] += value
        return {protocol: tuple(sum) for protocol, sum in sums.items()}, v6, complaints

    def nfcapd(self, version):
        """What nfcapd says when it ends, and the folder it wrote."""
        folder, log, port = self.work / f'nfcapd{version}', self.work / f'nfcapd{version}.log', free_port()
        folder.mkdir()
        with log.open('wb') as output:
            daemon = subprocess.Popen([need('nfcapd'), '-w', folder, '-b', '127.0.0.1', '-p', str(port), '-t', '3600', '-y'],
                                      stdout=output, stderr=output)
        try:
            wait_until(lambda: udp_state(port) or daemon.poll() is not None, 'nfcapd')
            self.assertIsNone(daemon.poll(), log.read_text())
            self.assertEqual(send_paced(self.captures[version], port), 0, 'dropped by the kernel')
        finally:
            daemon.terminate()
            daemon.wait(30)
        return log.read_text(), folder

    def check_nfdump(self, version):
        nfdump = need('nfdump')
        said, folder = self.nfcapd(version)
        self.assertIn('Sequence Errors: 0, Bad Packets: 0', said)
        info = dict(line.split(': ', 1) for line in lines([nfdump, '-R', folder, '-I']) if ': ' in line)
        self.assertEqual(tuple(int(info[name]) for name in ('Flows', 'Bytes', 'Packets')), self.wanted(version))
        # Flows last up to a minute and are exported when they end, over one hour.
        self.assertTrue(START_S - 60 <= int(info['First']) <= START_S + 60, info['First'])
        self.assertTrue(START_S + 3540 <= int(info['Last']) <= START_S + 3660, info['Last'])
        by_protocol, _, _ = self.tshark(version)
        for name, number in PROTOCOLS.items():
            kept = tuple(int(info[f'{what}_{name.lower()}']) for what in ('Flows', 'Bytes', 'Packets'))
            self.assertEqual(kept, by_protocol[number], f'{name}: nfdump and tshark differ')

    def check_tshark(self, version):
        by_protocol, v6, complaints = self.tshark(version)
        self.assertEqual(complaints, [])
        self.check_sums(by_protocol, version)
        self.assertEqual(bool(v6), version != 5, 'flows over IPv6')

    def check_netflow(self, version):
        netflow, store = need('netflow'), self.work / f'store{version}'
        lines([netflow, 'import', '-s', store, self.captures[version]])
        rows = map(json.loads, lines([netflow, 'top', '-s', store, '--by', 'proto', '-n', '100', '--format', 'json']))
        by_protocol = {row['proto']: (row['flows'], row['bytes'], row['packets']) for row in rows}
        self.check_sums(by_protocol, version)

    def check_sampling(self, version):
        """What the exporter sampled 1 in 100 counts a hundredfold; records keep what was sent."""
        capture, store = self.work / f'sampled{version}.pcap', self.work / f'sampled{version}'
        sent = json.loads(lines([need('nfl_generate'), '--out', capture, '--flows', '501', '--version', str(version),
                                 '--hours', '1', '--sampling', '100'])[0])
        netflow = need('netflow')
        lines([netflow, 'import', '-s', store, capture])
        row, = map(json.loads, lines([netflow, 'top', '-s', store, '--by', 'sampling', '--format', 'json']))
        self.assertEqual((row['sampling'], row['flows'], row['bytes'], row['packets']),
                         (100, 501, 100 * sent['bytes'], 100 * sent['packets']))

    def test_sampling_is_told_in_v5(self):
        self.check_sampling(5)

    def test_sampling_is_told_in_v9(self):
        self.check_sampling(9)

    def test_sampling_is_told_in_ipfix(self):
        self.check_sampling(10)

    def test_tshark_reads_v5(self):
        self.check_tshark(5)

    def test_tshark_reads_v9(self):
        self.check_tshark(9)

    def test_tshark_reads_ipfix(self):
        self.check_tshark(10)

    def test_nfdump_reads_v5(self):
        self.check_nfdump(5)

    def test_nfdump_reads_v9(self):
        self.check_nfdump(9)

    def test_nfdump_reads_ipfix(self):
        self.check_nfdump(10)

    def test_netflow_reads_v5(self):
        self.check_netflow(5)

    def test_netflow_reads_v9(self):
        self.check_netflow(9)

    def test_netflow_reads_ipfix(self):
        self.check_netflow(10)


if __name__ == '__main__':
    unittest.main()
