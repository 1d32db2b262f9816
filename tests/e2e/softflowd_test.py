"""Real traffic, a real exporter, the whole path: Debian's softflowd reads a capture and exports it as NetFlow
v5, v9 and IPFIX to netflowd on loopback. What netflow reports must equal softflowd's own statistics and what
tshark decodes from the same datagrams. The traffic is made between network namespaces when root allows, else
the capture in examples/data is used."""
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('NETFLOW_BIN_DIR', TOP / 'build/release/bin'))
PROTOCOLS = {'icmp': 1, 'tcp': 6, 'udp': 17, 'ipv6-icmp': 58}


def move_to_now(source, target):
    """Copy a pcap file with its times moved so that it ends now: softflowd's uptime arithmetic is 32 bits wide."""
    data = bytearray(source.read_bytes())
    at, places = 24, []
    while at + 16 <= len(data):
        places.append(at)
        at += 16 + struct.unpack_from('<I', data, at + 8)[0]
    shift = int(time.time()) - 1 - struct.unpack_from('<I', data, places[-1])[0]
    for at in places:
        struct.pack_into('<I', data, at, struct.unpack_from('<I', data, at)[0] + shift)
    target.write_bytes(data)


def lines(command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, **options).stdout.splitlines()


def rows(command):
    return [json.loads(line) for line in lines(command)]


class Collector:
    """netflowd on free ports, and a tcpdump beside it for tshark when root allows."""

    def __init__(self, store):
        self.daemon = subprocess.Popen([BIN / 'netflowd', '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--store', store],
                                       stdout=subprocess.PIPE, text=True)
        ready = self.daemon.stdout.readline()
        self.address = re.search(r'listen ([0-9.]+:\d+)', ready).group(1)
        self.http = re.search(r'dashboard (\S+?)/?$', ready.strip()).group(1)

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        status = self.daemon.wait(20)
        self.daemon.stdout.close()
        return status


def export(capture, version, address, folder):
    """Run softflowd; returns its own statistics: records, {protocol: (octets, packets)}."""
    result = subprocess.run(['softflowd', '-d', '-r', capture, '-n', address, '-v', str(version), '-c', 'none', '-p',
                             folder / 'softflowd.pid', *(['-6'] if version > 7 else [])], capture_output=True, text=True, timeout=60)
    text = result.stdout + result.stderr
    records = int(re.search(r'Flows exported: \d+ \((\d+) records\)', text).group(1))
    sums = {}
    for name, number, octets, packets in re.findall(r'^\s*(\S+) \((\d+)\):\s+(\d+)\s+(\d+)', text, re.M):
        sums[int(number)] = (int(octets), int(packets))
    return records, sums


def tshark_sums(capture, port):
    """{protocol: (octets, packets)} by tshark's cflow dissector, from the full decode."""
    out = lines(['tshark', '-r', capture, '-d', f'udp.port=={port},cflow', '-V'])
    sums = collections.defaultdict(lambda: [0, 0])
    record = {}

    def finish():
        if 'octets' in record:
            proto = record.get('proto', 0)
            sums[proto][0] += record['octets']
            sums[proto][1] += record.get('packets', 0)
        record.clear()

    for line in out:
        line = line.strip()
        if re.match(r'(Flow \d+|pdu \d+/\d+)', line):
            finish()
        elif match := re.match(r'(Octets|Packets|Protocol): .*?(\d+)\)?( \(\d+\))?$', line):
            key = match.group(1).lower()
            if key == 'protocol':
                number = re.search(r'(\d+)', line.split(':', 1)[1])
                record.setdefault('proto', int(re.search(r'\((\d+)\)', line).group(1)) if '(' in line else int(number.group(1)))
            else:
                record.setdefault(key, int(line.split(':', 1)[1].split()[0]))
        elif line.startswith('Frame ') and ': ' in line:
            finish()
    finish()
    return {proto: tuple(pair) for proto, pair in sums.items()}


class Softflowd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for tool in ('softflowd', 'tshark', 'tcpdump'):
            if not shutil.which(tool):
                raise unittest.SkipTest(f'{tool} is not installed')
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = pathlib.Path(cls.folder.name)
        made = cls.work / 'made.pcap'
        made_it = subprocess.run([TOP / 'tests/e2e/make_traffic.sh', made, '8'], capture_output=True, text=True)
        if made_it.returncode != 0:
            print(f'no traffic of our own ({made_it.stderr.strip()}); using examples/data/traffic.pcap', file=sys.stderr)
            made = TOP / 'examples/data/traffic.pcap'
        cls.capture = cls.work / 'traffic.pcap'
        move_to_now(made, cls.capture)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def sniff(self, port, target):
        """tcpdump on loopback, or None where that is not allowed."""
        sniffer = subprocess.Popen(['tcpdump', '-i', 'lo', '-U', '-w', target, f'udp dst port {port}'], stderr=subprocess.PIPE, text=True)
        for line in sniffer.stderr:
            if 'listening on' in line:
                return sniffer
        sniffer.wait()
        sniffer.stderr.close()
        return None

    def wait_for_flows(self, store, wanted):
        for _ in range(100):
            if store.exists() and any(r.get('flows') == wanted for r in rows([BIN / 'netflow', 'info', '-s', store, '--format', 'json'])):
                return
            time.sleep(0.1)
        self.fail(f'{wanted} flows did not arrive: ' + '\n'.join(lines([BIN / 'netflow', 'info', '-s', store])))

    def check_version(self, version):
        store, exports = self.work / f'store{version}', self.work / f'exports{version}.pcap'
        collector = Collector(store)
        try:
            sniffer = self.sniff(collector.address.split(':')[1], exports)
            records, own = export(self.capture, version, collector.address, self.work)
            # Readers in other processes see the flows while the daemon runs.
            self.wait_for_flows(store, records)
            live = self.totals(store)
        finally:
            status = collector.stop()
        self.assertEqual(status, 0)
        self.assertEqual(self.totals(store), live, 'SIGTERM changed what is stored')
        self.assertEqual(sum(r['flows'] for r in rows([BIN / 'netflow', 'top', '-s', store, '--by', 'version', '--format', 'json'])), records)
        self.assertEqual(live, own, 'sums differ from softflowd\'s own')
        if sniffer:
            time.sleep(0.3)
            sniffer.send_signal(signal.SIGINT)
            sniffer.wait(10)
            sniffer.stderr.close()
            self.assertEqual(live, tshark_sums(exports, collector.address.split(':')[1]), 'sums differ from tshark\'s')
            self.check_import(exports, live)
        self.check_reports(store)

    def totals(self, store):
        return {r['proto']: (r['bytes'], r['packets'])
                for r in rows([BIN / 'netflow', 'top', '-s', store, '--by', 'proto', '-n', '100', '--format', 'json'])}

    def check_import(self, exports, live):
        imported = self.work / f'{exports.stem}-imported'
        lines([BIN / 'netflow', 'import', '-s', imported, exports])
        self.assertEqual(self.totals(imported), live, 'import differs from the live path')

    def check_reports(self, store):
        top = [r for r in rows([BIN / 'netflow', 'top', '-s', store, '--by', 'src', '-n', '3', '--format', 'json'])]
        self.assertEqual(top[0]['src'], '198.51.100.80', 'the web server sends most')
        apps = {r['app'] for r in rows([BIN / 'netflow', 'top', '-s', store, '--by', 'app', '--format', 'json'])}
        self.assertTrue({'http', 'dns', 'icmp'} <= apps, apps)
        web = rows([BIN / 'netflow', 'flows', '-s', store, '--format', 'json', 'src ip 192.0.2.11 and dst port 80'])
        self.assertTrue(web)
        self.assertTrue(all(r['src'] == '192.0.2.11' and r['dst_port'] == 80 and r['proto'] == 6 for r in web))
        now = time.time()
        for r in web:
            first = time.mktime(time.strptime(r['first'][:19], '%Y-%m-%dT%H:%M:%S')) - time.timezone
            self.assertTrue(now - 300 < first <= now + 1, (r['first'], 'is not the time of the traffic'))

    def test_netflow_v1(self):
        self.check_version(1)

    def test_netflow_v5(self):
        self.check_version(5)

    def test_netflow_v9(self):
        self.check_version(9)

    def test_ipfix(self):
        self.check_version(10)


if __name__ == '__main__':
    unittest.main()
