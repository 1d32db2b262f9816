"""The command-line tool from outside: every command, every format, mistakes, broken input, exit statuses.

Captures are made here, octet by octet, so that every sum is known. The tool is taken from NETFLOW_BIN_DIR."""
import csv
import datetime
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('NETFLOW_BIN_DIR', TOP / 'build/release/bin'))
TOOL = BIN / 'netflow'
START = 1795449600  # 2026-11-23T16:00:00Z


# ---- captures ----

def udp_frame(payload, source='192.0.2.254', port=2055):
    udp = struct.pack('!HHHH', 50000, port, 8 + len(payload), 0) + payload
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton(source),
                     socket.inet_aton('192.0.2.253'))
    return bytes(12) + b'\x08\x00' + ip + udp


def pcap(datagrams, cut=0):
    """A capture of (seconds, payload) pairs; `cut` octets missing at its end."""
    out = struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
    for seconds, payload in datagrams:
        frame = udp_frame(payload)
        out += struct.pack('<IIII', int(seconds), int(seconds % 1 * 1e6), len(frame), len(frame)) + frame
    return out[:len(out) - cut]


def v5(flows, sequence, seconds=START + 3600, uptime=7200000):
    """flows: (src, dst, src_port, dst_port, proto, flags, packets, octets, start in seconds after START)."""
    out = struct.pack('!HHIIIIBBH', 5, len(flows), uptime, seconds, 0, sequence, 0, 0, 0)
    for src, dst, sport, dport, proto, flags, packets, octets, start in flows:
        boot = seconds * 1000 - uptime
        first = int((START + start) * 1000 - boot)
        out += struct.pack('!4s4s4sHHIIIIHHBBBBHHBBH', socket.inet_aton(src), socket.inet_aton(dst), bytes(4), 1, 2,
                           packets, octets, first, first + 1500, sport, dport, 0, flags, proto, 0, 0, 0, 0, 0, 0)
    return out


FLOWS = ([('10.0.0.1', '192.0.2.80', 40000 + i, 443, 6, 27, 10, 1000 + i, i * 30) for i in range(20)] +
         [('10.0.0.2', '192.0.2.53', 50000 + i, 53, 17, 0, 1, 60, 15 + i * 60) for i in range(10)] +
         [('10.0.0.3', '192.0.2.80', 1, 1, 1, 0, 5, 420, 700)])
BYTES, PACKETS = sum(f[7] for f in FLOWS), sum(f[6] for f in FLOWS)


def export():
    return pcap([(START + 3600 + i * 0.25, v5(FLOWS[i * 8:i * 8 + 8], i * 8)) for i in range(4)])


def sets_of(version, *sets):
    """An IPFIX message, or a v9 datagram, of sets given as (id, hexadecimal octets)."""
    body = b''.join(struct.pack('!HH', ident, 4 + len(octets)) + octets
                    for ident, octets in ((i, bytes.fromhex(text)) for i, text in sets))
    if version == 10:
        return struct.pack('!HHIII', 10, 16 + len(body), START, 1, 7) + body
    return struct.pack('!HHIIII', 9, len(sets), 1000, START, 1, 7) + body


NAMED = [
    sets_of(10,
            (2, '0100 0009 0008 0004 001b 0010 0038 0006 0052 ffff 0098 0008 0001 0003 8001 0004 00007279'
                ' 8001 0002 00003039 0124 ffff  0101 0001 0004 0001'),
            (256, '0a000001 20010db8000000000000000000000001 020304050607 03 612262 000001a20922b800 010203 00000009 beef'
                  ' 05 03 0101 06 11')),
    sets_of(10, (2, '0102 0003 0125 ffff 0052 0004 0096 0002'),
            (258, '10 03 0101 0005 06 0999 0006 abcd 0101 0004 69663100 0001')),
    sets_of(9, (1, '0103 0004 0008 0002 0002 0022 0004 0052 0004'), (259, '0007 0000000a 00610000')),
]


def scan_export():
    """One host tries 200 ports of another, each answered by a reset."""
    flows = []
    for port in range(1, 201):
        flows.append(('10.0.0.66', '192.0.2.80', 55555, port, 6, 2, 1, 44, port * 0.01))
        flows.append(('192.0.2.80', '10.0.0.66', port, 55555, 6, 20, 1, 40, port * 0.01))
    return pcap([(START + 3600 + i * 0.01, v5(flows[i * 20:i * 20 + 20], i * 20)) for i in range(20)])


# ---- running ----

class Run:
    def __init__(self, *arguments, text=True, environment=None, **options):
        variables = {**os.environ, 'LC_ALL': 'C', **(environment or {})}
        done = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, timeout=120, env=variables, **options)
        self.status, self.raw = done.returncode, done.stdout
        self.out = done.stdout.decode() if text else ''
        self.err = done.stderr.decode(errors='replace')

    def json(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def csv(self):
        return list(csv.DictReader(io.StringIO(self.out, newline=''), strict=True))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.work = pathlib.Path(cls.folder.name)
        cls.capture = cls.work / 'exports.pcap'
        cls.capture.write_bytes(export())
        cls.store = cls.work / 'store'
        cls.imported = Run('import', '-s', cls.store, '--format', 'json', cls.capture)

    def good(self, *arguments, **options):
        run = Run(*arguments, **options)
        self.assertEqual((run.status, run.err), (0, ''), arguments)
        return run

    def bad(self, status, words, *arguments, **options):
        run = Run(*arguments, **options)
        self.assertEqual(run.status, status, (arguments, run.out, run.err))
        self.assertIn(words, run.err)
        return run


class Import(Case):
    def test_the_summary_counts_what_was_read(self):
        self.assertEqual((self.imported.status, self.imported.err), (0, ''))
        summary, = self.imported.json()
        wanted = {'files': 1, 'broken_files': 0, 'datagrams': 4, 'records': len(FLOWS), 'exporters': 1, 'lost_flows': 0, 'bad_datagrams': 0}
        self.assertEqual({key: summary[key] for key in wanted}, wanted)

    def test_missing_sequence_numbers_are_losses(self):
        capture = self.work / 'lossy.pcap'
        capture.write_bytes(pcap([(START, v5(FLOWS[:5], 0)), (START + 1, v5(FLOWS[5:10], 12))]))
        summary, = self.good('import', '-s', self.work / 'lossy', '--format', 'json', capture).json()
        self.assertEqual((summary['records'], summary['lost_flows']), (10, 7))
        people = self.good('import', '-s', self.work / 'lossy-2', capture).out
        self.assertRegex(people, r'flows lost before \(v5\) +7\n')

    def test_a_second_import_adds_to_the_store(self):
        store = self.work / 'twice'
        for _ in range(2):
            self.good('import', '-s', store, self.capture)
        self.assertEqual(self.good('info', '-s', store, '--format', 'json').json()[0]['flows'], 2 * len(FLOWS))

    def test_a_directory_is_its_captures(self):
        folder = self.work / 'captures'
        (folder / 'inner').mkdir(parents=True)
        (folder / 'a.pcap').write_bytes(export())
        (folder / 'inner' / 'b.cap').write_bytes(scan_export())
        (folder / 'notes.txt').write_text('not a capture')
        summary, = self.good('import', '-s', self.work / 'from-directory', '--format', 'json', folder).json()
        self.assertEqual((summary['files'], summary['records']), (2, len(FLOWS) + 400))

    def test_an_empty_directory_is_a_mistake(self):
        (self.work / 'empty').mkdir()
        self.bad(1, 'no captures in it', 'import', '-s', self.work / 'none', self.work / 'empty')

    def test_a_broken_file_is_told_and_the_others_are_imported(self):
        broken, cut, store = self.work / 'broken.pcap', self.work / 'cut.pcap', self.work / 'partly'
        broken.write_bytes(b'this is no capture at all, only text')
        cut.write_bytes(pcap([(START, v5(FLOWS[:3], 0)), (START + 1, v5(FLOWS[3:6], 3))], cut=10))
        run = self.bad(1, 'broken.pcap', 'import', '-s', store, '--format', 'json', broken, cut, self.work / 'missing.pcap', self.capture)
        self.assertIn('cut.pcap', run.err)
        self.assertIn('missing.pcap', run.err)
        summary, = run.json()
        self.assertEqual((summary['files'], summary['broken_files'], summary['records']), (1, 3, 3 + len(FLOWS)))
        self.assertEqual(self.good('info', '-s', store, '--format', 'json').json()[0]['flows'], 3 + len(FLOWS))

    def test_datagrams_that_are_no_exports_are_counted(self):
        capture = self.work / 'noise.pcap'
        capture.write_bytes(pcap([(START, b'hello'), (START, b'\x00\x05'), (START, v5(FLOWS[:2], 0))]))
        summary, = self.good('import', '-s', self.work / 'noise', '--format', 'json', capture).json()
        self.assertEqual((summary['bad_datagrams'], summary['records']), (2, 2))

    def test_standard_input_is_read_as_dash(self):
        run = self.good('import', '-s', self.work / 'piped', '--format', 'json', '-', input=export())
        self.assertEqual(run.json()[0]['records'], len(FLOWS))

    def test_a_store_that_cannot_be_made_is_told(self):
        (self.work / 'file').write_text('here is no room for a store')
        self.bad(1, str(self.work / 'file'), 'import', '-s', self.work / 'file', self.capture)

    def test_an_interrupt_keeps_what_was_read(self):
        store = self.work / 'interrupted'
        fifo = self.work / 'slow.pcap'
        os.mkfifo(fifo)
        tool = subprocess.Popen([TOOL, 'import', '-s', store, '--format', 'json', fifo, fifo], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        data = export()
        with open(fifo, 'wb', buffering=0) as writer:
            writer.write(data)
            for _ in range(100):  # until it has opened the pipe and drained it
                time.sleep(0.02)
                if struct.unpack('i', fcntl.ioctl(writer, termios.FIONREAD, bytes(4)))[0] == 0:
                    break
            tool.send_signal(signal.SIGINT)
            time.sleep(0.1)
        out, err = tool.communicate(timeout=60)
        self.assertEqual(tool.returncode, 1)
        self.assertEqual(err, b'netflow import: stopped; what was read is kept\n')
        stored = json.loads(out)['records']
        self.assertEqual(self.good('info', '-s', store, '--format', 'json').json()[0]['flows'], stored)
        self.assertEqual(self.good('verify', '-s', store, '--format', 'json').json()[0]['result'], 'good')


class Queries(Case):
    def test_top_in_json(self):
        rows = self.good('top', '-s', self.store, '--by', 'src', '--format', 'json').json()
        wanted = [{'src': '10.0.0.1', 'bytes': 20190, 'packets': 200, 'flows': 20},
                  {'src': '10.0.0.2', 'bytes': 600, 'packets': 10, 'flows': 10},
                  {'src': '10.0.0.3', 'bytes': 420, 'packets': 5, 'flows': 1}]
        self.assertEqual(rows, wanted)
        self.assertEqual([list(row) for row in rows], [['src', 'bytes', 'packets', 'flows']] * 3)

    def test_top_orders_by_what_is_wanted(self):
        names = {order: self.good('top', '-s', self.store, '--by', 'dst_port', '--order', order, '--format', 'json', '-n', '1').json()[0]['dst_port']
                 for order in ('bytes', 'packets', 'flows')}
        self.assertEqual(names, {'bytes': 443, 'packets': 443, 'flows': 443})
        rows = self.good('top', '-s', self.store, '--by', 'src', '--order', 'flows', '--format', 'json', 'not src 10.0.0.1').json()
        self.assertEqual([row['src'] for row in rows], ['10.0.0.2', '10.0.0.3'])

    def test_top_by_two_fields(self):
        rows = self.good('top', '-s', self.store, '--by', 'dst,proto', '--format', 'json').json()
        self.assertEqual([(r['dst'], r['proto'], r['flows']) for r in rows], [('192.0.2.80', 6, 20), ('192.0.2.53', 17, 10), ('192.0.2.80', 1, 1)])

    def test_applications_were_named_at_import(self):
        rows = self.good('top', '-s', self.store, '--by', 'app', '--format', 'json').json()
        self.assertEqual({r['app']: r['flows'] for r in rows}, {'https': 20, 'dns': 10, 'icmp': 1})

    def test_the_table_has_shares_and_a_total(self):
        out = self.good('top', '-s', self.store, '--by', 'src', '-n', '1').out.splitlines()
        self.assertRegex(out[0], r'^Source +Bytes +Packets +Flows +Share$')
        self.assertRegex(out[1], r'^10\.0\.0\.1 +20\.2 k +200 +20 +95\.2 %$')
        self.assertRegex(out[2], r'^-+$')
        self.assertRegex(out[3], r'^total +21\.2 k +215 +31 +100\.0 %$')
        self.assertEqual(out[4], '1 of 3 rows; -n 0 shows all')
        self.assertEqual(len({line.index('k ') for line in (out[1], out[3])}), 1, 'numbers are not aligned')

    def test_the_formats_agree(self):
        for command in (['top', '--by', 'src,dst_port', '-n', '0'], ['flows', '--columns', 'first,src,dst,dst_port,bytes,duration'],
                        ['series', '--bucket', '1m', '--by', 'proto'], ['series', '--bucket', '5m']):
            with self.subTest(command):
                command = [command[0], '-s', self.store, *command[1:]]
                rows = self.good(*command, '--format', 'json').json()
                table = self.good(*command, '--format', 'csv')
                self.assertTrue(all(line.endswith('\r') for line in table.out.split('\n')[:-1]))
                self.assertEqual([{k: str(v) for k, v in row.items() if v is not None} for row in rows],
                                 [{k: v for k, v in row.items() if v} for row in table.csv()])
                self.assertEqual(sum(r['bytes'] for r in rows), BYTES)
                people = self.good(*command).out
                self.assertEqual(len([line for line in people.splitlines() if re.match(r' *(\d|10\.)', line) and ' of ' not in line]), len(rows))

    def test_flows_in_json_have_all_that_was_sent(self):
        row = self.good('flows', '-s', self.store, '--format', 'json', '-n', '1', 'src port 40003').json()[0]
        wanted = {'src': '10.0.0.1', 'dst': '192.0.2.80', 'src_port': 40003, 'dst_port': 443, 'proto': 6, 'tcp_flags': 27, 'bytes': 1003,
                  'packets': 10, 'first': '2026-11-23T16:01:30.000Z', 'last': '2026-11-23T16:01:31.500Z', 'duration': 1.5,
                  'exporter': '192.0.2.254', 'version': 5, 'in_if': 1, 'out_if': 2, 'flows': 1}
        self.assertEqual({key: row.get(key) for key in wanted}, wanted)
        self.assertNotIn('vlan', row)

    def test_flows_are_ordered_by_a_field_either_way(self):
        up = self.good('flows', '-s', self.store, '--order', 'bytes', '--format', 'json').json()
        down = self.good('flows', '-s', self.store, '--order', 'bytes', '--desc', '--format', 'json').json()
        self.assertEqual([r['bytes'] for r in up], sorted(f[7] for f in FLOWS))
        self.assertEqual([r['bytes'] for r in down], sorted((f[7] for f in FLOWS), reverse=True))

    def test_flows_without_an_order_are_in_order_of_arrival(self):
        rows = self.good('flows', '-s', self.store, '--format', 'json').json()
        self.assertEqual([r['bytes'] for r in rows], [f[7] for f in FLOWS])

    def test_the_limit_cuts(self):
        self.assertEqual(len(self.good('flows', '-s', self.store, '-n3', '--format', 'json').json()), 3)
        self.assertIn('3 of 31 records', self.good('flows', '-s', self.store, '-n', '3').out)

    def test_a_window_of_time(self):
        def count(*arguments):
            return len(self.good('flows', '-s', self.store, '--format', 'json', *arguments).json())
        wanted = sum(60 <= f[8] < 300 for f in FLOWS)
        self.assertEqual(count('--from', '2026-11-23T16:01', '--to', '2026-11-23 16:05'), wanted)
        self.assertEqual(count(f'--from={START + 60}', f'--to={START + 300}'), wanted)
        ago = f'-{int(time.time()) - START - 45}s' if time.time() > START + 61 else None
        if ago:
            self.assertEqual(count('--from', ago), sum(f[8] > 45 for f in FLOWS))

    def test_filters_are_one_argument_or_many(self):
        one = self.good('flows', '-s', self.store, 'dst port 53 and bytes < 100').out
        many = self.good('flows', '-s', self.store, 'dst', 'port', '53', 'and', 'bytes', '<', '100').out
        self.assertEqual(one, many)
        self.assertIn('10 of 10 records', one)

    def test_filters_of_the_manual_parse(self):
        page = (TOP / 'examples/netflow/netflow.1').read_text()
        block = re.search(r'\.Sh FILTERS\n.*?\.Bd.*?\n(.*?)\.Ed', page, re.S).group(1)
        for text in block.splitlines():
            with self.subTest(text):
                self.good('flows', '-s', self.store, text)

    def test_a_list_in_a_file(self):
        path = self.work / 'two hosts.txt'
        path.write_text('# addresses\n10.0.0.66\r\n\n192.0.2.0/24 ; a network\n')
        listed = self.good('flows', '-s', self.store, '--format', 'csv', f'ip in @"{path}"').out
        self.assertEqual(listed, self.good('flows', '-s', self.store, '--format', 'csv', 'ip in [10.0.0.66, 192.0.2.0/24]').out)
        self.assertGreater(listed.count('\n'), 2)
        out = self.work / 'listed.ipfix'
        self.good('export', '-s', self.store, '-o', out, f'ip in @"{path}"')
        again = self.work / 'again'
        self.good('import', '-s', again, out)
        self.assertEqual(len(self.good('flows', '-s', again, '-n0', '--format', 'json').json()), listed.count('\n') - 1)

    def test_text_is_found_wherever_it_is_shown(self):
        rows = self.good('flows', '-s', self.store, '-n0', '--format', 'json').json()
        found = self.good('flows', '-s', self.store, '-n0', '--format', 'json', 'text "HTTP 192.0.2"').json()
        self.assertEqual(found, [row for row in rows if 'http' in row['app'] and any('192.0.2' in row[key] for key in ('src', 'dst', 'exporter'))])
        self.assertTrue(found)

    def test_options_may_follow_the_filter(self):
        self.assertEqual(len(self.good('flows', 'dst port 53', '-s', self.store, '--format', 'json').json()), 10)

    def test_no_match_is_no_failure(self):
        self.assertIn('no flow matches', self.good('flows', '-s', self.store, 'dst port 9').out)
        self.assertEqual(self.good('top', '-s', self.store, '--by', 'src', '--format', 'json', 'dst port 9').out, '')
        self.assertEqual(self.good('top', '-s', self.store, '--by', 'src', '--format', 'csv', 'dst port 9').csv(), [])

    def test_series_has_a_row_a_bucket(self):
        rows = self.good('series', '-s', self.store, '--bucket', '5m', '--format', 'json').json()
        self.assertEqual([r['time'] for r in rows], ['2026-11-23T16:00:00.000Z', '2026-11-23T16:05:00.000Z', '2026-11-23T16:10:00.000Z'])
        self.assertEqual(sum(r['packets'] for r in rows), PACKETS)
        self.assertEqual(list(rows[0]), ['time', 'bytes', 'packets', 'flows'])

    def test_series_keeps_the_heaviest_groups(self):
        rows = self.good('series', '-s', self.store, '--bucket', '1h', '--by', 'src_port', '--format', 'json').json()
        self.assertEqual(sorted(r['src_port'] for r in rows), [40015, 40016, 40017, 40018, 40019])

    def test_series_has_bars(self):
        plain = self.good('series', '-s', self.store, '--bucket', '5m').out
        self.assertRegex(plain.splitlines()[1], r'^2026-11-23 16:00:00 .* #{20,30}$')
        utf8 = self.good('series', '-s', self.store, '--bucket', '5m', environment={'LC_ALL': 'C.UTF-8'}).out
        self.assertIn('\u2588' * 20, utf8)
        self.assertTrue(plain.isascii())

    def test_flags_are_ascii_where_the_locale_is(self):
        out = self.good('flows', '-s', self.store).out
        self.assertTrue(out.isascii())
        self.assertIn('.AP.SF', out)

    def test_large_output_keeps_its_columns(self):
        store = self.work / 'large'
        flows = [('10.9.0.%d' % (i % 200), '192.0.2.1', 1000 + i, 443, 6, 27, 1, 10 ** (i % 7), i) for i in range(2400)]
        capture = self.work / 'large.pcap'
        capture.write_bytes(pcap([(START + 3600 + i, v5(flows[i * 24:i * 24 + 24], i * 24)) for i in range(100)]))
        self.good('import', '-s', store, capture)
        out = self.good('flows', '-s', store, '--columns', 'src,bytes').out.splitlines()
        self.assertEqual(len(out), 2402)
        self.assertEqual(len({len(line) for line in out[:-1]}), 1)


class Findings(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scan = cls.work / 'scan.pcap'
        cls.scan.write_bytes(scan_export())
        cls.scanned = cls.work / 'scanned'
        Run('import', '-s', cls.scanned, cls.scan)

    def test_a_port_scan_is_found_in_captures_and_stores_alike(self):
        rows = self.good('scan', '--format', 'json', self.scan).json()
        self.assertEqual([(r['detector'], r['entity'], r['peers']) for r in rows], [('scan_vertical', '10.0.0.66', ['192.0.2.80'])])
        self.assertGreater(rows[0]['observed'], 100)
        keys = ['detector', 'severity', 'confidence', 'entity', 'peers', 'first', 'last', 'observed', 'threshold', 'measure', 'flows', 'filter',
                'attack', 'message']
        self.assertEqual(list(rows[0]), keys)
        self.assertEqual(rows[0]['attack'], ['T1046'])
        self.assertEqual(self.good('scan', '--format', 'json', '-s', self.scanned).json(), rows)
        table = self.good('scan', '--format', 'csv', self.scan).csv()
        self.assertEqual((list(table[0]), table[0]['entity']), (keys, '10.0.0.66'))

    def test_the_finding_shows_its_flows(self):
        row, = self.good('scan', '--format', 'json', self.scan).json()
        flows = self.good('flows', '-s', self.scanned, '--format', 'json', row['filter']).json()
        self.assertEqual(len(flows), 200)

    def test_people_get_a_sentence_and_a_count(self):
        out = self.good('scan', self.scan).out
        self.assertIn('10.0.0.66', out)
        self.assertTrue(out.endswith('1 finding in 400 flow records\n'))
        self.assertEqual(self.good('scan', '-s', self.store).out, f'0 findings in {len(FLOWS)} flow records\n')

    def test_a_broken_capture_among_good_ones(self):
        run = self.bad(1, 'missing.pcap', 'scan', '--format', 'json', self.work / 'missing.pcap', self.scan)
        self.assertEqual(len(run.json()), 1)


class Others(Case):
    def test_info(self):
        info, = self.good('info', '-s', self.store, '--format', 'json').json()
        self.assertEqual((info['flows'], info['first'], info['journal_flows']), (len(FLOWS), '2026-11-23T16:00:00.000Z', 0))
        self.assertRegex(self.good('info', '-s', self.store).out, r'flow records +31\n')
        self.assertEqual(self.good('info', '-s', self.store, '--format', 'csv').csv()[0]['flows'], '31')

    def test_verify_finds_damage(self):
        store = self.work / 'damaged'
        shutil.copytree(self.store, store)
        self.assertEqual(self.good('verify', '-s', store, '--format', 'json').json()[0]['flows'], len(FLOWS))
        largest = max((p for p in store.rglob('*') if p.is_file()), key=lambda p: p.stat().st_size)
        data = bytearray(largest.read_bytes())
        data[len(data) // 3] ^= 0x55
        os.chmod(largest, 0o644)
        largest.write_bytes(data)
        run = Run('verify', '-s', store)
        self.assertEqual(run.status, 1, run.out + run.err)
        self.assertTrue('damaged' in run.out or run.err)
        facts, = self.good('repair', '-s', store, '--format', 'json').json()
        self.assertEqual((facts['result'], facts['flows'] + facts['lost_flows']), ('repaired', len(FLOWS)))
        self.assertEqual(self.good('verify', '-s', store, '--format', 'json').json()[0]['result'], 'good')
        self.assertEqual(self.good('repair', '-s', store, '--format', 'json').json()[0]['result'], 'was good')

    def test_spread_moves_nothing_but_places(self):
        sums = []
        for options in ([], ['--spread']):
            rows = self.good('series', '-s', self.store, '--bucket', '1s', '--format', 'json', *options).json()
            sums.append([sum(int(row[name]) for row in rows) for name in ('bytes', 'packets', 'flows')])
        self.assertEqual(sums[0], sums[1])

    def test_what_two_exporters_saw_counts_once(self):
        store, capture = self.work / 'unique', self.work / 'unique.pcap'
        records = [[(START + 3600, v5(FLOWS[:8], 0))], [(START + 3600, v5(FLOWS[:9], 0))]]
        capture.write_bytes(pcap(records[0]) + pcap(records[1])[24:].replace(socket.inet_aton('192.0.2.254'), socket.inet_aton('192.0.2.252')))
        self.good('import', '-s', store, capture)
        for command in (['top', '--by', 'src'], ['series', '--bucket', '1h'], ['flows']):
            twice, once = (self.good(command[0], '-s', store, *command[1:], '--format', 'json', *more).json() for more in ([], ['--unique']))
            self.assertEqual(sum(int(r['bytes']) for r in twice), sum(f[7] for f in FLOWS[:8] + FLOWS[:9]))
            self.assertEqual(sum(int(r['bytes']) for r in once), sum(f[7] for f in FLOWS[:9]))
        self.assertIn('saw them better 8\n', Run('top', '-s', store, '--by', 'src', '--unique', '--explain').err)

    def test_both_directions_are_one_record(self):
        store, capture = self.work / 'biflow', self.work / 'biflow.pcap'
        answers = [(dst, src, dport, sport, proto, 27, packets + 1, size * 2, start + 1) for src, dst, sport, dport, proto, _, packets, size, start in FLOWS[:5]]
        capture.write_bytes(pcap([(START + 3600, v5(answers, 0)), (START + 3601, v5(FLOWS[:7], 5))]))
        self.good('import', '-s', store, capture)
        rows = self.good('flows', '-s', store, '--biflow', '--format', 'json', '--order', 'src_port').json()
        self.assertEqual([(r['src'], r['bytes'], r['reverse_bytes'], r['reverse_packets']) for r in rows],
                         [('10.0.0.1', 1000 + i, 2 * (1000 + i) if i < 5 else 0, 11 if i < 5 else 0) for i in range(7)])
        alone = self.good('flows', '-s', store, '--biflow', '--format', 'csv', 'reverse_packets = 0').csv()
        self.assertEqual([r['src_port'] for r in alone], ['40005', '40006'])
        self.assertIn('reverse_tcp_flags', alone[0])
        top = self.good('top', '-s', store, '--biflow', '--by', 'src', '--columns', 'bytes,reverse_bytes', '--format', 'json').json()
        self.assertEqual(top, [{'src': '10.0.0.1', 'bytes': sum(f[7] for f in FLOWS[:7]), 'reverse_bytes': 2 * sum(f[7] for f in FLOWS[:5])}])
        self.bad(1, 'exclude each other', 'flows', '-s', store, '--biflow', '--unique')

    def test_distinct_counts_may_be_estimates(self):
        for extra in (['top', '--by', 'proto'], ['series', '--bucket', '5m']):
            ask = [extra[0], '-s', self.store, *extra[1:], '--columns', 'bytes,distinct(src_port)', '--format', 'csv']
            self.assertEqual(self.good(*ask, '--approximate').out, self.good(*ask).out)
        store, capture = self.work / 'many', self.work / 'many.pcap'
        flows = [('10.0.0.1', '192.0.2.80', i, 443, 6, 27, 10, 1000, 0) for i in range(3000)]
        capture.write_bytes(pcap([(START + 3600 + i / 100, v5(flows[i * 30:i * 30 + 30], i * 30)) for i in range(100)]))
        self.good('import', '-s', store, capture)
        run = Run('top', '-s', store, '--by', 'src', '--columns', 'flows,distinct(src_port)', '--approximate', '--format', 'json')
        self.assertEqual((run.status, run.err), (0, 'netflow: distinct counts above 192 are estimates, within 6.9 % in 997 of 1000 cases\n'))
        row, = run.json()
        self.assertEqual(row['flows'], 3000)
        self.assertAlmostEqual(row['distinct(src_port)'] / 3000, 1, delta=0.069)

    def test_percentile(self):
        table = self.good('series', '-s', self.store, '--bucket', '5m', '--percentile', '95').out
        rows = self.good('series', '-s', self.store, '--bucket', '5m', '--format', 'json').json()
        ranked = sorted(int(row['bytes']) for row in rows)
        expected = ranked[-(-95 * len(ranked) // 100) - 1] * 8 / 300
        said, unit, buckets = re.search(r'percentile 95: ([\d.]+) ?([kMG]?)bit/s \(of (\d+) buckets', table).groups()
        self.assertEqual(int(buckets), len(rows))
        self.assertAlmostEqual(float(said) * {'': 1, 'k': 1e3, 'M': 1e6, 'G': 1e9}[unit] / expected, 1, delta=0.06)
        for wrong in (['--percentile', '0'], ['--percentile', '101'], ['--percentile', '95', '--by', 'src']):
            self.assertEqual(Run('series', '-s', self.store, '--bucket', '5m', *wrong).status, 2)

    def test_memory_is_limited(self):
        top = self.good('top', '-s', self.store, '--by', 'src,dst', '--memory', '500M', '--format', 'csv').out
        self.assertEqual(self.good('top', '-s', self.store, '--by', 'src,dst', '--format', 'csv').out, top)
        self.assertEqual(Run('top', '-s', self.store, '--by', 'src,dst', '--memory', '100k').status, 1)
        for wrong in ('', '0', 'x', '5X', '5MM', '99999999999999999999', '99999999999T', '-5', '5 M'):
            run = Run('top', '-s', self.store, '--by', 'src', '--memory', wrong)
            self.assertEqual(run.status, 2, wrong)
            self.assertIn('bytes such as 500M', run.err)

    def test_explain_tells_what_was_read(self):
        run = Run('flows', '-s', self.store, '--explain', 'ip 203.0.113.250')
        self.assertRegex(run.err, r'blocks read 0, left out 1 ')
        run = Run('top', '-s', self.store, '--by', 'src', '--explain')
        self.assertRegex(run.err, rf'blocks read 1, left out 0 .*\nrecords looked at {len(FLOWS)}, matching {len(FLOWS)}, ')

    def test_holds(self):
        store = self.work / 'held'
        self.good('import', '-s', store, self.capture)
        when = ['--from', '2026-11-23T16:00:00Z', '--to', '2026-11-23T17:00:00Z']
        self.good('hold', '-s', store, *when, 'case-17', 'court order 17/2026')
        self.good('hold', '-s', store, *when, 'another')
        self.assertEqual(self.good('holds', '-s', store, '--format', 'json').json(), [
            {'name': 'another', 'from': '2026-11-23T16:00:00.000Z', 'to': '2026-11-23T17:00:00.000Z', 'note': ''},
            {'name': 'case-17', 'from': '2026-11-23T16:00:00.000Z', 'to': '2026-11-23T17:00:00.000Z', 'note': 'court order 17/2026'}])
        self.good('release', '-s', store, 'another')
        self.assertRegex(self.good('holds', '-s', store).out, r'(?m)^case-17 +2026-11-23T16:00:00')
        self.assertEqual(Run('release', '-s', store, 'another').status, 1)
        self.assertEqual(Run('hold', '-s', store, *when, 'a/b').status, 1)
        self.assertEqual(Run('hold', '-s', store, 'case').status, 2)

    def test_compact_keeps_every_flow(self):
        store = self.work / 'compacted'
        for i in range(3):  # one segment each
            self.good('import', '-s', store, self.capture)
        before = self.good('flows', '-s', store, '-n', '0', '--format', 'csv').out
        facts, = self.good('compact', '-s', store, '--format', 'json').json()
        self.assertEqual((facts['segments_before'], facts['segments'], facts['flows']), (3, 1, 3 * len(FLOWS)))
        self.assertEqual(self.good('flows', '-s', store, '-n', '0', '--format', 'csv').out, before)
        self.assertEqual(self.good('verify', '-s', store, '--format', 'json').json()[0]['result'], 'good')
        self.assertEqual(Run('compact', '-s', self.work / 'none').status, 1)

    def test_expire_drops_what_is_not_held(self):
        store = self.work / 'expired'
        for _ in range(2):
            self.good('import', '-s', store, self.capture)
        self.assertEqual(Run('expire', '-s', store).status, 2)
        facts, = self.good('expire', '-s', store, '--before', '2026-11-22', '--max-size', '1G', '--format', 'json').json()
        self.assertEqual((facts['dropped_flows'], facts['flows'], facts['result']), (0, 2 * len(FLOWS), 'limits are kept'))
        self.good('hold', '-s', store, '--from', '2026-11-23', '--to', '2026-11-24', 'case')
        facts, = self.good('expire', '-s', store, '--before', '2100-01-01', '--format', 'json').json()
        self.assertEqual((facts['dropped_flows'], facts['result']), (0, 'more is kept: held, or not sealed yet'))
        self.good('release', '-s', store, 'case')
        facts, = self.good('expire', '-s', store, '--max-size', '1', '--format', 'json').json()
        self.assertEqual((facts['dropped_flows'], facts['dropped_segments'], facts['flows']), (2 * len(FLOWS), 2, 0))

    def test_sums_outlive_flows(self):
        store = self.work / 'summed'
        self.good('import', '-s', store, self.capture)
        asked = [['top', '--by', 'src'], ['top', '--by', 'proto'], ['series', '--bucket', '1h']]
        before = [self.good(*a, '-s', store, '--format', 'csv').out for a in asked]
        self.good('compact', '-s', store, '--sums-before', '2026-11-22')  # none is so old
        self.assertEqual(self.good('info', '-s', store, '--format', 'json').json()[0]['summed_flows'], 0)
        facts, = self.good('compact', '-s', store, '--sums-before', '2100-01-01', '--format', 'json').json()
        self.assertEqual((facts['flows'], facts['summed_flows']), (0, len(FLOWS)))
        self.assertEqual([self.good(*a, '-s', store, '--format', 'csv').out for a in asked], before)
        run = Run('flows', '-s', store)
        self.assertEqual(run.status, 0)
        self.assertIn(f'{len(FLOWS)} records are not in this', run.err)
        self.assertEqual(self.good('verify', '-s', store, '--format', 'json').json()[0]['result'], 'good')

    def test_fields(self):
        rows = self.good('fields', '--format', 'json').json()
        self.assertIn('src_port', [r['name'] for r in rows])
        self.assertEqual([r['name'] for r in rows], [r['name'] for r in self.good('fields', '--format', 'csv').csv()])
        self.assertRegex(self.good('fields').out, r'(?m)^bytes +octets +counter +')

    def test_decode_prints_json_lines(self):
        events = self.good('decode', self.capture).json()
        kinds = [event['ev'] for event in events]
        self.assertEqual((kinds.count('datagram'), kinds.count('header'), kinds.count('v5')), (4, 4, len(FLOWS)))

    def test_decode_names_fields(self):
        capture = self.work / 'named.pcap'
        capture.write_bytes(pcap((START, datagram) for datagram in NAMED))
        events = self.good('decode', '--names', capture).json()
        records = [event['fields'] for event in events if event['ev'] in ('record', 'options')]
        self.assertEqual(records[0], [
            ['sourceIPv4Address', '10.0.0.1'], ['sourceIPv6Address', '2001:db8::1'],
            ['sourceMacAddress', '02:03:04:05:06:07'], ['interfaceName', 'a"b'],
            ['flowStartMilliseconds', '2026-11-23T16:00:00.000Z'], ['octetDeltaCount', 0x010203],
            ['reverseOctetDeltaCount', 9], ['12345/1', 'beef'],
            ['subTemplateList', {'semantic': 3, 'elements': [
                {'template': 257, 'fields': [['protocolIdentifier', 6]]},
                {'template': 257, 'fields': [['protocolIdentifier', 17]]}]}]])
        self.assertEqual(records[1], [
            ['subTemplateMultiList', {'semantic': 3, 'elements': [
                {'template': 257, 'fields': [['protocolIdentifier', 6]]},
                {'template': 2457, 'unread': 'abcd'}]}],
            ['interfaceName', 'if1'], ['flowStartSeconds', '0001']])
        self.assertEqual(records[2], [['Interface', '0007'], ['samplingInterval', 10], ['interfaceName', '00610000']])

    def test_decode_writes_values_by_their_types(self):
        capture = self.work / 'typed.pcap'
        capture.write_bytes(pcap([(START, sets_of(
            10, (2, '0100 000f 009a 0008 009c 0008 0137 0004 0137 0008 0137 0002 009a 0004 00e6 0001 00e9 0001 0088 0001'
                    ' 003d 0001 00e6 0001 0059 0004 0059 0001 0046 0003 004f 0003'),
            (256, 'eeaf5200 80000000 00000000 00000000 3fc00000 3fb999999999999a 7fc0 00000001 10 03 03 01 ff 00000083 90 018705 00010a')))]))
        fields = [event['fields'] for event in self.good('decode', '--names', capture).json() if event['ev'] == 'record'][0]
        self.assertEqual(fields, [
            ['flowStartMicroseconds', '2026-11-24T00:00:00.500Z'], ['flowStartNanoseconds', '0000000000000000'],
            ['samplingProbability', 1.5], ['samplingProbability', 0.1], ['samplingProbability', '7fc0'],
            ['flowStartMicroseconds', '00000001'], ['natEvent', 16, 'port block allocation'],
            ['firewallEvent', 3, 'flow denied'], ['flowEndReason', 3, 'end of flow'], ['flowDirection', 1, 'egress'],
            ['natEvent', 255], ['forwardingStatus', 0x83, 'dropped, unroutable'], ['forwardingStatus', 0x90],
            ['mplsTopLabelStackSection', '018705', 'label 6256, traffic class 2, bottom of stack'],
            ['mplsLabelStackSection10', '00010a', 'label 16, traffic class 5']])

    def test_decode_names_elements_as_their_exporter_describes_them(self):
        capture = self.work / 'described.pcap'
        capture.write_bytes(pcap([(START, sets_of(
            10, (3, '0101 0004 0002 015a 0004 012f 0002 0153 0001 0155 ffff'),
            (257, '00003039 8007 02 08 61226d65436f6465 00003039 0008 0d 01 1b'),
            (2, '0100 0002 8007 0002 00003039 8008 0002 00003039'), (256, '0102 6162')))]))
        events = self.good('decode', '--names', capture).json()
        self.assertEqual([event['fields'] for event in events if event['ev'] == 'record'],
                         [[['a"meCode', 258], ['\x1b', 'ab']]])

    def test_decode_takes_elements_of_ones_own(self):
        capture, elements = self.work / 'own.pcap', self.work / 'own.csv'
        capture.write_bytes(pcap((START, datagram) for datagram in NAMED))
        elements.write_text('pen,id,name,type\n12345,1,acmeCode,unsigned16\n0,8,clientAddress,ipv4Address\n')
        events = self.good('decode', '--elements', elements, capture).json()
        record = [event['fields'] for event in events if event['ev'] == 'record'][0]
        self.assertEqual((record[0], record[7]), (['clientAddress', '10.0.0.1'], ['acmeCode', 0xbeef]))
        elements.write_text('12345,1,acmeCode\n12345,x,acmeCode\n')
        self.bad(1, 'line 2: no element number: "x"', 'decode', '--elements', elements, capture)
        self.bad(1, 'No such file', 'decode', '--elements', self.work / 'none.csv', capture)
        self.bad(2, 'usage:', 'decode', '--elements', elements)
        self.bad(2, 'usage:', 'decode', '--element', elements, capture)

    def test_decode_shows_names_told_by_the_exporter(self):
        capture = self.work / 'told.pcap'
        told = sets_of(9, (1, '0100 0004 0004 0002 0002 0052 0008'), (256, '0007 6574681b00000000'),
                       (0, '0101 0003 000a 0002 000e 0002 0001 0004'), (257, '0007 0008 00000064'),
                       (1, '0102 0004 0008 0001 0000 005f 0004 0060 0004'), (258, '0d0001c5 68747470'),
                       (0, '0103 0002 005f 0004 0001 0004'), (259, '0d0001c5 00000001'))
        capture.write_bytes(pcap([(START, told)]))
        events = self.good('decode', '--names', capture).json()
        records = [event['fields'] for event in events if event['ev'] == 'record']
        self.assertEqual(records, [
            [['ingressInterface', 7, 'eth\x1b'], ['egressInterface', 8], ['octetDeltaCount', 100]],
            [['applicationId', '0d0001c5', 'http'], ['octetDeltaCount', 1]]])
        self.assertNotIn('\x1b', self.good('decode', '--names', capture).out)

    def test_resolve_asks_the_server_it_is_given(self):
        server = Names({'10.0.0.1': 'gate.example.org', '2001:db8::1': None})
        self.addCleanup(server.stop)
        where = f'127.0.0.1:{server.port}'
        run = self.good('resolve', '--server', where, '10.0.0.1', '2001:db8::1')
        self.assertEqual(run.out, '10.0.0.1 gate.example.org\n2001:db8::1 -\n')
        self.assertEqual(self.good('resolve', '--server', where, '--format', 'json', '10.0.0.1', '2001:db8::1').json(),
                         [{'address': '10.0.0.1', 'name': 'gate.example.org'}, {'address': '2001:db8::1', 'name': None}])

    def test_a_hostile_name_is_not_printed(self):
        server = Names({'10.0.0.1': 'evil\x1b[31m.example.org'})
        self.addCleanup(server.stop)
        run = Run('resolve', '--server', f'127.0.0.1:{server.port}', '10.0.0.1')
        self.assertNotIn('\x1b', run.out + run.err)

    def test_help_and_version(self):
        out = self.good('--help').out
        for command in ('import', 'top', 'flows', 'series', 'scan', 'decode', 'info', 'verify', 'repair', 'compact', 'expire', 'hold', 'release', 'holds', 'resolve', 'fields'):
            self.assertIn(f'  {command} ', out)
            self.assertTrue(self.good(command, '--help').out.startswith(f'usage: netflow {command}'))
        self.assertRegex(self.good('--version').out, r'^netflow \d+\.\d+\.\d+ \(library \d+\.\d+\.\d+\)\n$')

    def test_the_manual_is_well_formed(self):
        if not shutil.which('mandoc'):
            self.skipTest('mandoc is not installed')
        run = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', TOP / 'examples/netflow/netflow.1'], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (0, ''))


class Names(threading.Thread):
    """A name server that knows a few addresses, on loopback."""

    def __init__(self, names):
        super().__init__(daemon=True)
        self.names = {reverse_name(address): name for address, name in names.items()}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            query, client = self.socket.recvfrom(1500)
            if not query:
                return
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            name = self.names.get('.'.join(labels).lower())
            question = query[12:at + 5]
            answer = b''
            if name:
                data = b''.join(bytes([len(l)]) + l.encode() for l in name.split('.')) + b'\0'
                answer = b'\xc0\x0c' + struct.pack('!HHIH', 12, 1, 300, len(data)) + data
            header = query[:2] + struct.pack('!HHHHH', 0x8180 if name else 0x8183, 1, 1 if name else 0, 0, 0)
            self.socket.sendto(header + question + answer, client)

    def stop(self):
        self.socket.sendto(b'', ('127.0.0.1', self.port))
        self.join(10)
        self.socket.close()


def reverse_name(address):
    import ipaddress
    return ipaddress.ip_address(address).reverse_pointer


class Mistakes(Case):
    def test_wrong_usage_is_status_2(self):
        store = self.store
        cases = [
            ((), 'usage: netflow'),
            (('nonsense',), "'nonsense' is no command"),
            (('top', '-s', store), '--by is missing'),
            (('top', '--by', 'src'), '--store is missing'),
            (('series', '-s', store), '--bucket is missing'),
            (('import', '-s', store), 'missing'),
            (('info',), '--store is missing'),
            (('info', '-s', store, 'surplus'), "'surplus'"),
            (('resolve',), 'missing'),
            (('decode',), 'usage'),
            (('scan',), 'either a store'),
            (('scan', '-s', store, self.capture), 'either a store'),
            (('scan', '--from', '-2h', self.capture), 'files are read whole'),
            (('top', '-s', store, '--by'), 'a value must follow'),
            (('top', '-s', store, '--by', 'src', '--nonsense'), "'--nonsense'"),
            (('info', '-s', store, '--by', 'src'), "'--by'"),
            (('flows', '-s', store, '--desc=yes'), 'takes no value'),
            (('flows', '-s', store, '--format', 'xml'), 'table, csv or json expected'),
            (('flows', '-s', store, '-n', '-1'), 'a number expected'),
            (('flows', '-s', store, '-n', '5x'), 'a number expected'),
            (('flows', '-s', store, '--from', 'whenever'), '--from'),
            (('flows', '-s', store, '--from', '2026-11-23', '--to', '2026-11-22'), '--from is not before --to'),
            (('series', '-s', store, '--bucket', '0'), '--bucket'),
            (('series', '-s', store, '--bucket', 'often'), '--bucket'),
            (('resolve', 'www.example.org'), 'not an IP address'),
        ]
        for arguments, words in cases:
            with self.subTest(arguments):
                self.assertEqual(self.bad(2, words, *arguments).out, '')

    def test_a_mistake_in_a_filter_has_a_caret_under_it(self):
        run = self.bad(1, 'filter', 'flows', '-s', self.store, 'dst port 53 and sauce ip 10.0.0.1')
        lines = run.err.splitlines()
        self.assertEqual(lines[1], '  dst port 53 and sauce ip 10.0.0.1')
        self.assertEqual(lines[2].index('^'), lines[1].index('sauce'))
        self.assertEqual(run.out, '')

    def test_a_mistake_in_a_list_names_file_and_line(self):
        path = self.work / 'bad.txt'
        path.write_text('10.0.0.1\n# fine so far\n10.0.0.300\n')
        self.bad(1, f"list '{str(path)[:40]}', line 3: found '10.0.0.300'", 'flows', '-s', self.store, f'src in @{path}')
        self.bad(1, "list 'nowhere.txt': No such file or directory", 'flows', '-s', self.store, 'src in @nowhere.txt')
        self.bad(1, "list '/': Is a directory", 'export', '-s', self.store, '-o', self.work / 'none.ipfix', 'src in @/')

    def test_the_caret_counts_characters(self):
        run = self.bad(1, 'filter', 'flows', '-s', self.store, '"\u00fc\u00fc" and', environment={'LC_ALL': 'C.UTF-8'})
        self.assertIn('^', run.err)
        self.assertEqual(run.err.splitlines()[2].index('^'), 2)

    def test_a_filter_cannot_command_the_terminal(self):
        run = Run('flows', '-s', self.store, 'src ip \x1b[2J\u009b31m')
        self.assertEqual(run.status, 1)
        self.assertNotIn('\x1b', run.err)
        self.assertNotIn('\u009b', run.err)

    def test_unknown_fields_are_pointed_at(self):
        for option, text in (('--by', 'src,colour'), ('--order', 'colour')):
            arguments = ['top', '-s', self.store, *(['--by', 'src'] if option != '--by' else []), option, text]
            run = self.bad(1, f"{option}: 'colour' is not a field", *arguments)
            lines = run.err.splitlines()
            self.assertEqual(lines[2].index('^'), lines[1].index('colour'))
        self.bad(1, "--columns: 'colour' is not a field", 'flows', '-s', self.store, '--columns', 'colour')

    def test_a_missing_store_is_told_once(self):
        run = self.bad(1, 'nowhere', 'flows', '-s', self.work / 'nowhere')
        self.assertEqual(run.err.count('nowhere'), 1)
        for command in (['info'], ['verify'], ['top', '--by', 'src'], ['scan']):
            self.bad(1, 'nowhere', command[0], '-s', self.work / 'nowhere', *command[1:])

    def test_a_full_disk_is_noticed(self):
        if not os.path.exists('/dev/full'):
            self.skipTest('no /dev/full')
        for command in (['flows'], ['flows', '--format', 'json'], ['top', '--by', 'src', '--format', 'csv'], ['info'], ['verify']):
            with self.subTest(command), open('/dev/full', 'wb') as full:
                done = subprocess.run([TOOL, command[0], '-s', self.store, *command[1:]], stdout=full, stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b'standard output', done.stderr)

    def test_a_closed_pipe_ends_it_without_a_word(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([TOOL, 'flows', '-s', self.store], stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, b''))


class Terminal(Case):
    def on_terminal(self, width, *arguments, environment=None):
        control, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 40, width, 0, 0))
        variables = {**os.environ, 'LC_ALL': 'C', 'TERM': 'xterm', **(environment or {})}
        tool = subprocess.Popen([TOOL, *map(str, arguments)], stdout=terminal, stderr=subprocess.DEVNULL, env=variables)
        os.close(terminal)
        out = b''
        while True:
            try:
                part = os.read(control, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            out += part
        os.close(control)
        self.assertEqual(tool.wait(60), 0)
        return out.decode().replace('\r\n', '\n')

    def test_tables_fit_the_terminal(self):
        for width in (40, 60, 80, 120, 200):
            for arguments in (['flows'], ['top', '--by', 'src,dst,dst_port'], ['series', '--bucket', '1m', '--by', 'app']):
                with self.subTest((width, arguments)):
                    out = self.on_terminal(width, arguments[0], '-s', self.store, *arguments[1:])
                    lines = [re.sub(r'\x1b\[[0-9;]*m', '', line) for line in out.splitlines() if not line.startswith('not shown')]
                    self.assertLessEqual(max(len(line) for line in lines if ' of ' not in line), width)

    def test_what_is_left_out_is_said(self):
        self.assertIn('not shown for want of room:', self.on_terminal(60, 'flows', '-s', self.store))

    def test_headers_are_bold_unless_told_otherwise(self):
        self.assertIn('\x1b[1m', self.on_terminal(100, 'top', '-s', self.store, '--by', 'src'))
        self.assertNotIn('\x1b', self.on_terminal(100, 'top', '-s', self.store, '--by', 'src', environment={'NO_COLOR': '1'}))


class SharedData(Case):
    """The recorded scenarios and the corpus, where they are at hand."""

    def setUp(self):
        if not os.environ.get('NETFLOW_SHARED'):
            self.skipTest('NETFLOW_SHARED is not set')
        self.shared = pathlib.Path(os.environ['NETFLOW_SHARED'])

    def test_the_three_protocols_tell_the_same(self):
        folder = self.shared / 'scenarios/scan_vertical_syn'
        sums = []
        for name in ('nf5', 'nf9', 'ipfix'):
            store = self.work / f'scenario-{name}'
            self.good('import', '-s', store, folder / f'{name}.pcap')
            rows = self.good('top', '-s', store, '--by', 'proto', '-n', '0', '--format', 'json', 'ipv4').json()
            sums.append({r['proto']: (r['bytes'], r['packets'], r['flows']) for r in rows})
        self.assertTrue(sums[0])
        self.assertEqual(sums[0], sums[1])
        self.assertEqual(sums[1], sums[2])

    def test_real_flows_add_up_in_every_way(self):
        store = self.work / 'real'
        summary, = self.good('import', '-s', store, '--format', 'json', self.shared / 'realflows/public_server_day1.v9.pcap').json()
        for by in ('src', 'dst_port', 'app', 'proto'):
            rows = self.good('top', '-s', store, '--by', by, '-n', '0', '--format', 'json').json()
            self.assertEqual(sum(r['flows'] for r in rows), summary['records'], by)
        series = self.good('series', '-s', store, '--bucket', '1h', '--format', 'json').json()
        self.assertEqual(sum(r['bytes'] for r in series), sum(r['bytes'] for r in rows))

    def test_every_broken_capture_ends_in_good_order(self):
        captures = sorted((self.shared / 'corpus/robustness').rglob('*.pcap'))
        self.assertTrue(captures)
        for capture in captures:
            with self.subTest(capture.parent.name):
                run = Run('import', '-s', self.work / 'robust' / capture.parent.name, '--format', 'json', capture)
                self.assertIn(run.status, (0, 1), run.err)


if __name__ == '__main__':
    unittest.main()
