"""IPFIX files and replay: what `netflow export` writes is read back equal and by tshark with the same sums; what `netflow
replay` sends, netflowd and Debian's nfcapd receive with the same sums."""
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import time
import unittest

from peers import BIN, Netflowd, Nfcapd, add, lines, need, rows, totals

FLOWS = 3001
PACE = '20000'  # flows a second, so that no collector's buffer overflows


def run(*words):
    return subprocess.run([BIN / 'netflow', *words], capture_output=True, text=True, timeout=120)


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        generate = need('nfl_generate')
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = pathlib.Path(cls.folder.name)
        cls.capture, cls.store = cls.work / 'made.pcap', cls.work / 'made'
        cls.made = json.loads(lines([generate, '--out', cls.capture, '--flows', str(FLOWS), '--version', '9', '--hours', '1', '--v6', '30'])[0])
        lines([BIN / 'netflow', 'import', '-s', cls.store, cls.capture])
        cls.want = (FLOWS, cls.made['bytes'], cls.made['packets'])
        v4 = rows([BIN / 'netflow', 'top', '-s', cls.store, '--by', 'version', '--format', 'json', 'ipv4'])[0]
        cls.want_v4 = (v4['flows'], v4['bytes'], v4['packets'])

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def records(self, store):
        """All records of a store with all fields, but for what a file does not keep: the second's fraction of the time
        of receipt, and the version."""
        out = []
        for row in rows([BIN / 'netflow', 'flows', '-s', store, '--format', 'json', '--order', 'received']):
            row['received'] = row['received'][:19]
            del row['version']
            out.append(json.dumps(row, sort_keys=True))
        return sorted(out)

    # ---- files ----

    def test_a_file_read_back_has_every_field_of_every_record(self):
        file, again = self.work / 'back.data', self.work / 'back'  # told by its content, not its name
        lines([BIN / 'netflow', 'export', '-s', self.store, '-o', file])
        lines([BIN / 'netflow', 'import', '-s', again, file])
        self.assertEqual(self.records(again), self.records(self.store))
        self.assertEqual(len({r['exporter'] for r in rows([BIN / 'netflow', 'flows', '-s', again, '--format', 'json'])}), 4)

    def test_a_capture_and_its_store_give_the_same_file(self):
        one, two = self.work / 'one.ipfix', self.work / 'two.ipfix'
        lines([BIN / 'netflow', 'export', '-s', self.store, '-o', one])
        lines([BIN / 'netflow', 'export', '-o', two, self.capture])
        self.assertEqual(one.read_bytes(), two.read_bytes())
        piped = subprocess.run([BIN / 'netflow', 'export', '-o', '-', '-s', self.store], capture_output=True, timeout=60)
        self.assertEqual(piped.stdout, one.read_bytes())

    def test_tshark_reads_the_file(self):
        file = self.work / 'tshark.ipfix'
        lines([BIN / 'netflow', 'export', '-s', self.store, '-o', file])
        out = lines([need('tshark'), '-n', '-r', file, '-T', 'fields', '-e', 'cflow.octets', '-e', 'cflow.packets',
                     '-e', '_ws.expert.message', '-e', '_ws.malformed'])
        columns = [line.split('\t') for line in out]
        self.assertEqual({tuple(c[2:]) for c in columns}, {('', '')}, 'tshark complains')
        octets = [int(v) for c in columns for v in c[0].split(',')]
        packets = [int(v) for c in columns for v in c[1].split(',')]
        self.assertEqual((len(octets), sum(octets), sum(packets)), self.want)

    def test_a_filter_and_a_window_choose_what_is_written(self):
        file, again = self.work / 'chosen.ipfix', self.work / 'chosen'
        words = ['--from', '2026-11-23T00:10:00Z', '--to', '2026-11-23T00:40:00Z', 'proto udp', 'or', 'dst port 443']
        lines([BIN / 'netflow', 'export', '-s', self.store, '-o', file, *words])
        lines([BIN / 'netflow', 'import', '-s', again, file])
        wanted = lines([BIN / 'netflow', 'flows', '-s', self.store, '--format', 'csv', *words])
        self.assertTrue(100 < len(wanted) < FLOWS)
        self.assertEqual(add(totals(again))[0], len(wanted) - 1)

    def test_files_are_sessions_of_their_own(self):
        """The second file has data of a template that only the first defines: not its template."""
        template = bytes.fromhex('0002 0010 0100 0002 0008 0004 0001 0004')
        data = bytes.fromhex('0100 000c 0a000001 00000001')

        def message(sets):
            return (10).to_bytes(2, 'big') + (16 + len(sets)).to_bytes(2, 'big') + bytes.fromhex('6b043d80 00000000 00000000') + sets
        first, second, store = self.work / '1.ipfix', self.work / '2.ipfix', self.work / 'sessions'
        first.write_bytes(message(template + data))
        second.write_bytes(message(data))
        summary = json.loads(lines([BIN / 'netflow', 'import', '-s', store, '--format', 'json', first, second])[0])
        self.assertEqual((summary['records'], summary['unknown_sets'], summary['exporters']), (1, 1, 2))
        events = rows([BIN / 'netflow', 'decode', first, second])
        self.assertEqual([e['ev'] for e in events], ['datagram', 'header', 'template', 'record', 'datagram', 'header', 'unknown_set'])

    def test_a_file_cut_short_gives_its_whole_messages(self):
        file, store = self.work / 'cut.ipfix', self.work / 'cut'
        lines([BIN / 'netflow', 'export', '-s', self.store, '-o', file])
        file.write_bytes(file.read_bytes()[:-10])
        result = run('import', '-s', store, file)
        self.assertEqual(result.returncode, 1)
        self.assertIn('the stream ends', result.stderr)
        self.assertTrue(FLOWS - 100 < add(totals(store))[0] < FLOWS)

    # ---- replay ----

    def replay_store(self, form, port, *words):
        return run('replay', '-s', self.store, '--collector', f'127.0.0.1:{port}', '--format', form, '--rate', PACE, *words)

    def check_netflowd(self, form, want):
        store = self.work / f'netflowd-{form}'
        with Netflowd(store) as collector:
            result = self.replay_store(form, collector.port)
            collector.wait_for(want[0])
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.assertEqual(add(totals(store)), want)
        first, = rows([BIN / 'netflow', 'flows', '-s', store, '--order', 'first', '-n', '1', '--format', 'json', 'ipv4'])
        same, = rows([BIN / 'netflow', 'flows', '-s', self.store, '--order', 'first', '-n', '1', '--format', 'json', 'ipv4'])
        self.assertEqual((first['first'], first['src']), (same['first'], same['src']), 'times are kept')
        return result.stdout

    def check_nfcapd(self, form, want):
        with Nfcapd(self.work / f'nfcapd-{form}') as collector:
            self.assertEqual(self.replay_store(form, collector.port).returncode, 0)
        self.assertIn('Sequence Errors: 0, Bad Packets: 0', collector.said)
        self.assertEqual(collector.totals(), want)

    def test_netflowd_receives_v5(self):
        said = self.check_netflowd('v5', self.want_v4)
        self.assertIn(str(FLOWS - self.want_v4[0]), said, 'IPv6 flows are told as left out')

    def test_netflowd_receives_v9(self):
        self.check_netflowd('v9', self.want)

    def test_netflowd_receives_ipfix(self):
        self.check_netflowd('ipfix', self.want)

    def test_netflowd_receives_ipfix_over_tcp_without_waiting(self):
        store = self.work / 'netflowd-tcp'
        with Netflowd(store, '--tcp', '127.0.0.1:0') as collector:
            port = re.search(r'tcp 127\.0\.0\.1:(\d+)', collector.ready).group(1)
            result = run('replay', '-s', self.store, '--collector', f'127.0.0.1:{port}', '--tcp', '--rate', '0')
            self.assertEqual((result.returncode, result.stderr), (0, ''))
            collector.wait_for(FLOWS)
        self.assertEqual(add(totals(store)), self.want)

    def test_only_ipfix_goes_over_tcp(self):
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            listener.listen()
            where = f'127.0.0.1:{listener.getsockname()[1]}'
            result = run('replay', '-s', self.store, '--collector', where, '--tcp', '--format', 'v9')
            self.assertEqual((result.returncode, 'only --format ipfix' in result.stderr), (2, True))
            result = run('replay', self.capture, '--collector', where, '--tcp', '--rate', '0')
            self.assertEqual(result.returncode, 1)
            self.assertIn('datagram 1 of the captures has version 9', result.stderr)
        result = run('replay', '-s', self.store, '--collector', where, '--tcp')
        self.assertEqual((result.returncode, 'Connection refused' in result.stderr), (1, True))

    def test_nfcapd_receives_v5(self):
        self.check_nfcapd('v5', self.want_v4)

    def test_nfcapd_receives_v9(self):
        self.check_nfcapd('v9', self.want)

    def test_nfcapd_receives_ipfix(self):
        self.check_nfcapd('ipfix', self.want)

    def test_datagrams_of_a_capture_are_sent_as_they_are(self):
        store = self.work / 'capture'
        with Netflowd(store) as collector:
            result = run('replay', self.capture, '--collector', f'127.0.0.1:{collector.port}', '--rate', '2000')
            collector.wait_for(FLOWS)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(str(self.made['datagrams']), result.stdout)
        self.assertEqual(add(totals(store)), self.want)
        with Nfcapd(self.work / 'nfcapd-capture') as collector:
            self.assertEqual(run('replay', self.capture, '--collector', f'127.0.0.1:{collector.port}', '--rate', '2000').returncode, 0)
        self.assertEqual(collector.totals(), self.want)

    def test_the_original_pace_is_kept_unless_told_otherwise(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(('127.0.0.1', 0))
            receiver.settimeout(30)
            window = ['--to', '2026-11-23T00:00:05Z']
            times = [r['received'] for r in rows([BIN / 'netflow', 'flows', '-s', self.store, '--format', 'json', '--order', 'received', *window])]
            sender = subprocess.Popen([BIN / 'netflow', 'replay', '-s', self.store, '--collector',
                                       f'127.0.0.1:{receiver.getsockname()[1]}', *window], stdout=subprocess.DEVNULL)
            arrivals = []
            while sender.poll() is None or not arrivals:
                receiver.settimeout(0.2)
                try:
                    receiver.recv(65535)
                    arrivals.append(time.monotonic())
                except TimeoutError:
                    pass
            self.assertEqual(sender.wait(), 0)
        seconds = [int(t[14:16]) * 60 + float(t[17:-1]) for t in times]
        self.assertGreaterEqual(arrivals[-1] - arrivals[0], seconds[-1] - seconds[0] - 0.5, 'never ahead of time')
        self.assertEqual(len(arrivals), len({int(s) for s in seconds}), 'a datagram holds what came in one second')

    def test_mistakes(self):
        for words, status, text in [
                (['replay', '-s', self.store], 2, '--collector is missing'),
                (['replay', '--collector', '127.0.0.1:9'], 2, 'either a store'),
                (['replay', '--collector', '127.0.0.1', self.capture], 1, 'an address with port expected'),
                (['replay', '--collector', '::1:9', self.capture], 1, 'an address with port expected'),
                (['replay', '--collector', '127.0.0.1:9', '--format', 'v7', '-s', self.store], 2, 'ipfix, v9 or v5 expected'),
                (['replay', '--collector', '127.0.0.1:9', '--format', 'v5', self.capture], 2, 'sent as they are'),
                (['replay', '--collector', '127.0.0.1:9', '-s', self.work / 'none'], 1, 'none'),
                (['replay', '--collector', '127.0.0.1:9', '-s', self.store, 'port', 'is', 'x'], 1, '^'),
                (['export', '-s', self.store], 2, '--out is missing'),
                (['export', '-o', self.work / 'x'], 2, 'either a store'),
                (['export', '-o', self.work / 'x', '--format', 'v9', '-s', self.store], 2, 'files are IPFIX'),
                (['export', '-o', self.work / 'none' / 'x', '-s', self.store], 1, 'No such file'),
                (['export', '-o', '/dev/full', '-s', self.store], 1, 'No space left'),
                (['top', '-s', self.store, '--by', 'src', '--format', 'ipfix'], 2, 'table, csv or json')]:
            result = run(*words)
            self.assertEqual(result.returncode, status, (words, result.stderr))
            self.assertIn(text, result.stderr, words)

    def test_a_collector_that_is_not_there_is_told(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        result = run('replay', '-s', self.store, '--collector', f'127.0.0.1:{port}', '--rate', '0')
        self.assertEqual(result.returncode, 0)
        self.assertIn('nobody listens', result.stdout)


if __name__ == '__main__':
    unittest.main()
