"""What the encoder writes is read by others: tshark finds nothing malformed, and tshark's and nfdump's sums equal the
generator's own, in NetFlow v5, v9 and IPFIX; and by ourselves."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('NETFLOW_BIN_DIR', TOP / 'build/release/bin'))
GENERATE = TOP / 'build/dev/bin/nfl_generate'


def datagrams(path):
    """UDP payloads of the generator's captures: raw IP without options."""
    data = path.read_bytes()
    at = 24
    while at < len(data):
        length = struct.unpack_from('<I', data, at + 8)[0]
        yield data[at + 44:at + 16 + length]
        at += 16 + length


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Encoder(unittest.TestCase):
    def setUp(self):
        if not GENERATE.exists():
            self.skipTest('nfl_generate is not built')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)

    def generate(self, version):
        path = self.work / f'v{version}.pcap'
        out = subprocess.run([GENERATE, '--out', path, '--flows', '3000', '--version', str(version), '--hours', '1'],
                             check=True, capture_output=True, text=True).stdout
        return path, json.loads(out)

    def test_tshark_reads_it(self):
        if not shutil.which('tshark'):
            self.skipTest('tshark is not installed')
        for version in (5, 9, 10):
            with self.subTest(version=version):
                path, want = self.generate(version)
                text = subprocess.run(['tshark', '-r', path, '-d', 'udp.port==2055,cflow', '-V'], check=True, capture_output=True,
                                      text=True).stdout
                self.assertNotIn('Malformed', text)
                self.assertNotIn('Expert Info', text)
                sums = [sum(map(int, re.findall(rf'^ *{name}: (\d+)', text, re.M))) for name in ('Octets', 'Packets')]
                self.assertEqual(sums, [want['bytes'], want['packets']])

    def test_nfdump_reads_it(self):
        if not shutil.which('nfcapd'):
            self.skipTest('nfcapd is not installed')
        for version in (5, 9, 10):
            with self.subTest(version=version):
                path, want = self.generate(version)
                folder, port = self.work / f'nf{version}', free_port()
                folder.mkdir()
                collector = subprocess.Popen(['nfcapd', '-w', folder, '-l', folder, '-p', str(port), '-b', '127.0.0.1', '-t', '3600'],
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    time.sleep(1)
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                        for i, data in enumerate(datagrams(path)):
                            sender.sendto(data, ('127.0.0.1', port))
                            if i % 20 == 19:
                                time.sleep(0.005)
                    time.sleep(1)
                finally:
                    collector.send_signal(signal.SIGTERM)
                    collector.wait(20)
                text = subprocess.run(['nfdump', '-R', folder, '-I'], check=True, capture_output=True, text=True).stdout
                got = [int(re.search(rf'^{name}: (\d+)', text, re.M).group(1)) for name in ('Flows', 'Bytes', 'Packets')]
                self.assertEqual(got, [want['flows'], want['bytes'], want['packets']])

    def test_we_read_it(self):
        for version in (5, 9, 10):
            with self.subTest(version=version):
                path, want = self.generate(version)
                store = self.work / f'store{version}'
                subprocess.run([BIN / 'netflow', 'import', '-s', store, path], check=True, capture_output=True)
                out = subprocess.run([BIN / 'netflow', 'top', '-s', store, '--by', 'version', '--format', 'json'], check=True,
                                     capture_output=True, text=True).stdout
                row = json.loads(out)
                self.assertEqual([row['flows'], row['bytes'], row['packets']], [want['flows'], want['bytes'], want['packets']])


if __name__ == '__main__':
    unittest.main()
