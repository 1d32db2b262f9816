"""netflowd as its users meet it: start, send exports, ask the API, stop, start again; and everything that can go wrong."""
import json
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('NETFLOW_BIN_DIR', TOP / 'build/release/bin'))


def v5(flows, sequence=0, now=None):
    """A NetFlow v5 datagram of (src, dst, sport, dport, proto, flags, packets, bytes) that ended a second ago."""
    now = now or time.time()
    out = struct.pack('>HHIIIIBBH', 5, len(flows), 3600000, int(now), int(now % 1 * 1e9), sequence, 0, 0, 0)
    for src, dst, sport, dport, proto, flags, packets, size in flows:
        out += struct.pack('>4s4s4sHHIIIIHHBBBBHHBBH', socket.inet_aton(src), socket.inet_aton(dst), bytes(4), 1, 2, packets, size,
                           3597000, 3599000, sport, dport, 0, flags, proto, 0, 0, 0, 24, 24, 0)
    return out


class Daemon:
    def __init__(self, store, *extra, listen='127.0.0.1:0', http='127.0.0.1:0'):
        self.process = subprocess.Popen([BIN / 'netflowd', '--listen', listen, '--http', http, '--store', store, *extra],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.ready = self.process.stdout.readline()
        if not self.ready:
            self.status = self.process.wait(10)
            self.errors = self.process.stderr.read()
            self.close()
            return
        self.port = int(re.search(r'listen 127\.0\.0\.1:(\d+)', self.ready).group(1))
        self.url = re.search(r'dashboard (http://\S+)/', self.ready).group(1)
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def close(self):
        self.process.stdout.close()
        self.process.stderr.close()

    def send(self, data):
        self.sender.sendto(data, ('127.0.0.1', self.port))

    def request(self, path, headers=None, method='GET'):
        request = urllib.request.Request(self.url + path, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers

    def get(self, path, **parameters):
        status, body, _ = self.request(path + ('?' + urllib.parse.urlencode(parameters) if parameters else ''))
        if status != 200:
            raise AssertionError((status, body))
        return json.loads(body)

    def wait_for(self, flows):
        for _ in range(100):
            if self.get('/api/top', by='version')['total']['flows'] == flows:
                return
            time.sleep(0.1)
        raise AssertionError(self.get('/api/status'))

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(20)
        self.sender.close()
        self.close()
        return status


FLOWS = [('10.0.0.1', '198.51.100.7', 40000, 443, 6, 0x1b, 10, 9000), ('198.51.100.7', '10.0.0.1', 443, 40000, 6, 0x1b, 20, 20000),
         ('10.0.0.2', '198.51.100.53', 50000, 53, 17, 0, 1, 70)]


class Netflowd(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)
        self.store = self.work / 'store'

    def start(self, *extra, **more):
        daemon = Daemon(self.store, *extra, **more)
        self.assertTrue(daemon.ready, getattr(daemon, 'errors', ''))
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.process.kill())
        return daemon

    def test_flows_are_received_kept_and_reported(self):
        daemon = self.start()
        daemon.send(v5(FLOWS))
        daemon.wait_for(3)
        top = daemon.get('/api/top', by='src', n=2)
        self.assertEqual([(r['src'], r['bytes']) for r in top['rows']], [('198.51.100.7', 20000), ('10.0.0.1', 9000)])
        self.assertEqual((top['total']['bytes'], top['total']['packets'], top['total']['flows']), (29070, 31, 3))
        apps = {r['app']: r['flows'] for r in daemon.get('/api/top', by='app')['rows']}
        self.assertEqual(apps, {'https': 2, 'dns': 1})
        web = daemon.get('/api/flows', filter='src ip 10.0.0.1 and dst port 443')['rows']
        self.assertEqual([(r['src'], r['dst_port'], r['proto'], r['bytes']) for r in web], [('10.0.0.1', 443, 6, 9000)])
        once = daemon.get('/api/flows', unique=1)
        self.assertEqual((len(once['rows']), once['total']['duplicates']), (3, 0))
        peers = daemon.get('/api/top', by='proto', columns='bytes,distinct(dst)', approximate=1)
        self.assertEqual([(r['proto'], r['distinct(dst)']) for r in peers['rows']], [(6, 2), (17, 1)])
        self.assertEqual(peers['total']['distinct_error_per_mille'], 0)
        talks = daemon.get('/api/flows', biflow=1, order='bytes')['rows']
        self.assertEqual([(r['src'], r['bytes'], r['reverse_bytes'], r['reverse_packets']) for r in talks],
                         [('10.0.0.1', 9000, 20000, 20), ('10.0.0.2', 70, 0, 0)])
        series = daemon.get('/api/series', bucket='1h')['rows']
        self.assertEqual(sum(r['bytes'] for r in series), 29070)
        status = daemon.get('/api/status')
        self.assertEqual(status['exporters'][0]['exporter'], '127.0.0.1')
        self.assertEqual(daemon.stop(), 0)

    def test_records_are_sorted_and_paged(self):
        daemon = self.start()
        daemon.send(v5([('10.0.0.1', '198.51.100.7', 40000 + i, 443, 6, 0x1b, 1, 100 * i + 100) for i in range(25)]))
        daemon.wait_for(25)
        sizes = [r['bytes'] for r in daemon.get('/api/flows', order='bytes', desc=1, n=10)['rows']]
        self.assertEqual(sizes, [100 * i for i in range(25, 15, -1)])
        sizes = [r['bytes'] for r in daemon.get('/api/flows', order='bytes', desc=1, n=10, offset=10)['rows']]
        self.assertEqual(sizes, [100 * i for i in range(15, 5, -1)])
        self.assertEqual(daemon.get('/api/flows', **{'from': '-1m', 'to': '-59s'})['rows'], [])
        daemon.stop()

    def test_sigterm_loses_nothing(self):
        daemon = self.start()
        for i in range(200):
            daemon.send(v5(FLOWS, 3 * i))
        self.assertEqual(daemon.stop(), 0)
        again = self.start()
        again.wait_for(600)
        self.assertEqual(again.stop(signal.SIGINT), 0)

    def test_what_was_visible_survives_sigkill(self):
        daemon = self.start()
        daemon.send(v5(FLOWS))
        daemon.wait_for(3)
        self.assertEqual(daemon.stop(signal.SIGKILL), -signal.SIGKILL)
        again = self.start()
        again.wait_for(3)
        again.stop()

    def test_a_scan_becomes_a_finding_and_stays_after_a_restart(self):
        daemon = self.start()
        for port in range(1, 200, 20):
            probes = [('203.0.113.5', '10.0.0.9', 55555, p, 6, 2, 1, 44) for p in range(port, port + 20)]
            answers = [('10.0.0.9', '203.0.113.5', p, 55555, 6, 0x14, 1, 40) for p in range(port, port + 20)]
            daemon.send(v5(probes))
            daemon.send(v5(answers))
        for _ in range(100):
            findings = daemon.get('/api/findings')['findings']
            if findings:
                break
            time.sleep(0.2)
        self.assertEqual((findings[0]['detector'], findings[0]['entity']), ('scan_vertical', '203.0.113.5'))
        self.assertTrue(daemon.get('/api/flows', filter=findings[0]['filter'])['rows'])
        daemon.stop()
        again = self.start()
        self.assertEqual(again.get('/api/findings')['findings'][0]['entity'], '203.0.113.5')
        again.stop()

    def test_rubbish_is_counted_and_harms_nothing(self):
        daemon = self.start()
        for rubbish in (b'', b'\0', b'\0\5', b'\xff' * 100, v5(FLOWS)[:-1], os.urandom(1400)):
            daemon.send(rubbish)
        daemon.send(v5(FLOWS))
        for _ in range(50):
            if daemon.get('/api/top', by='version')['total']['flows'] >= 3:
                break
            time.sleep(0.1)
        self.assertGreater(daemon.get('/api/status')['decoder']['bad_datagrams'], 0)
        daemon.stop()

    def exported(self):
        """The flows of the example capture as IPFIX messages, templates first: 164 flows."""
        tool, store, path = BIN / 'netflow', self.work / 'exported', self.work / 'flows.ipfix'
        subprocess.run([tool, 'import', '-s', store, TOP / 'examples/data/exports.pcap'], check=True, capture_output=True)
        subprocess.run([tool, 'export', '-s', store, '-o', path], check=True, capture_output=True)
        return path.read_bytes()

    def connect(self, daemon):
        connection = socket.create_connection(('127.0.0.1', int(re.search(r'tcp 127\.0\.0\.1:(\d+)', daemon.ready).group(1))))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(connection.close)
        return connection

    def until(self, daemon, condition, what):
        for _ in range(100):
            status = daemon.get('/api/status')
            if condition(status):
                return status
            time.sleep(0.1)
        self.fail((what, status))

    def test_ipfix_comes_over_tcp_in_any_pieces(self):
        daemon = Daemon(self.store, '--tcp', '127.0.0.1:0')
        self.addCleanup(daemon.process.kill)
        data, sizes = self.exported(), random.Random(7)
        first, second = self.connect(daemon), self.connect(daemon)
        ends = {first: 0, second: 0}
        while min(ends.values()) < len(data):  # both at once, in pieces of 1 byte up to several messages
            for connection, at in ends.items():
                size = sizes.choice([1, 2, 3, 15, 16, 17, 500, 1400, 5000])
                connection.sendall(data[at:at + size])
                ends[connection] = at + size
        daemon.wait_for(2 * 164)
        top, = daemon.get('/api/top', by='version')['rows']
        self.assertEqual((top['bytes'], top['packets'], top['version']), (2 * 4391319, 2 * 1100, 10))
        status = self.until(daemon, lambda s: s['tcp'][0]['connections'] == 2, 'two connections')
        self.assertEqual(status['tcp'][0]['bytes'], 2 * len(data))
        self.assertGreater(status['exporters'][0]['templates'], 0)
        first.close()
        status = self.until(daemon, lambda s: s['tcp'][0]['connections'] == 1, 'the end of one connection')
        self.assertGreater(status['exporters'][0]['templates'], 0)
        second.close()
        status = self.until(daemon, lambda s: s['tcp'][0]['connections'] == 0, 'the end of the other')
        self.assertEqual(status['exporters'], [], 'templates end with the last session')
        self.assertEqual((status['tcp'][0]['accepted'], status['tcp'][0]['broken']), (2, 0))
        self.assertEqual(daemon.stop(), 0)

    def test_what_is_no_ipfix_ends_its_own_connection_only(self):
        daemon = Daemon(self.store, '--tcp', '127.0.0.1:0')
        self.addCleanup(daemon.process.kill)
        data = self.exported()
        good, bad, cut = self.connect(daemon), self.connect(daemon), self.connect(daemon)
        good.sendall(data[:len(data) // 2])
        bad.sendall(b'GET / HTTP/1.1\r\nHost: netflowd\r\n\r\n')
        bad.settimeout(20)
        try:
            self.assertEqual(bad.recv(1), b'')
        except ConnectionResetError:
            pass
        cut.sendall(data[:1000])
        cut.close()
        status = self.until(daemon, lambda s: s['tcp'][0]['broken'] == 2, 'two broken connections')
        self.assertEqual(status['tcp'][0]['connections'], 1)
        good.sendall(data[len(data) // 2:])
        self.until(daemon, lambda s: s['decoder']['flows'] >= 164, 'the flows of the good connection')
        self.assertEqual(daemon.stop(), 0)

    def test_sigterm_takes_in_what_tcp_has_brought(self):
        daemon = Daemon(self.store, '--tcp', '127.0.0.1:0')
        self.addCleanup(daemon.process.kill)
        connection = self.connect(daemon)
        connection.sendall(self.exported())
        self.assertEqual(daemon.stop(), 0)
        again = Daemon(self.store)
        self.addCleanup(again.process.kill)
        again.wait_for(164)
        self.assertEqual(again.stop(), 0)

    def test_wrong_questions_are_answered_clearly(self):
        daemon = self.start()
        for path, part in (('/api/flows?filter=src+ip+nonsense', 'nonsense'), ('/api/top?by=nonsense', 'nonsense'),
                           ('/api/flows?from=never', 'never'), ('/api/series?bucket=x', 'x'), ('/api/flows?n=-1', ''),
                           ('/api/flows?n=99999999999', ''), ('/api/resolve?ip=nonsense', 'nonsense'),
                           ('/api/top?columns=nonsense', 'nonsense'), ('/api/flows?unique=2', 'unique'), ('/api/top?approximate=x', 'approximate'),
                           ('/api/flows?unique=1&biflow=1', 'exclude each other')):
            status, body, _ = daemon.request(path)
            self.assertEqual(status, 400, path)
            self.assertIn(part, json.loads(body)['error'], path)
        self.assertEqual(json.loads(daemon.request('/api/flows?filter=src+ip+nonsense')[1])['column'], 7)
        status, body, _ = daemon.request('/api/flows?filter=src+in+@/etc/passwd')  # no file is read for a browser
        self.assertEqual((status, json.loads(body)['error']), (400, 'lists by name are not known here'))
        self.assertEqual(daemon.request('/api/nothing')[0], 404)
        self.assertEqual(daemon.request('/../../etc/passwd')[0], 404)
        self.assertEqual(daemon.request('/api/top', method='POST')[0], 405)
        self.assertIn(daemon.request('/api/flows?filter=' + 'a' * 20000)[0], (400, 413, 414, 431))
        daemon.stop()

    def test_the_page_is_served_with_strict_headers(self):
        daemon = self.start()
        status, body, headers = daemon.request('/')
        self.assertEqual(status, 200)
        self.assertIn(b'<!doctype html', body.lower())
        self.assertIn("default-src 'none'", headers['Content-Security-Policy'])
        self.assertNotIn('unsafe', headers['Content-Security-Policy'])
        self.assertEqual(headers['X-Content-Type-Options'], 'nosniff')
        for host in ('evil.example', 'evil.example:80', 'localhost.evil.example'):
            self.assertEqual(daemon.request('/api/status', {'Host': host})[0], 403, host)
        for host in ('localhost', '127.0.0.1:8080', '[::1]:8080'):
            self.assertEqual(daemon.request('/api/status', {'Host': host})[0], 200, host)
        daemon.stop()

    def test_malformed_requests_do_no_harm(self):
        daemon = self.start()
        address = ('127.0.0.1', int(daemon.url.rsplit(':', 1)[1]))
        for rubbish in (b'\r\n\r\n', b'GET\r\n\r\n', b'\0' * 1000, b'GET / HTTP/1.1\r\n' + b'A: b\r\n' * 5000, b'GET /%00 HTTP/1.0\r\n\r\n'):
            with socket.create_connection(address, timeout=5) as connection:
                connection.settimeout(1)
                try:
                    connection.sendall(rubbish)
                    connection.recv(1000)
                except OSError:
                    pass
        self.assertEqual(daemon.request('/api/status')[0], 200)
        daemon.stop()

    def test_mistakes_at_the_start_are_told(self):
        daemon = self.start()
        other = Daemon(self.work / 'other', listen=f'127.0.0.1:{daemon.port}')
        self.assertEqual(other.status, 1)
        self.assertIn(str(daemon.port), other.errors)
        same = Daemon(self.store)
        self.assertEqual(same.status, 1)
        self.assertIn('another process', same.errors)
        daemon.stop()
        for arguments in (['--nonsense'], ['--listen', 'nonsense'], ['--http', 'nonsense'], ['--keep', 'x'], ['extra']):
            result = subprocess.run([BIN / 'netflowd', '--store', self.work / 's', *arguments], capture_output=True, text=True, timeout=20)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertTrue(result.stderr, arguments)

    def test_a_configuration_file_is_read(self):
        config = self.work / 'netflowd.conf'
        config.write_text(f'# comment\nlisten = 127.0.0.1:0\nhttp = 127.0.0.1:0\nstore = {self.store}\n')
        process = subprocess.Popen([BIN / 'netflowd', '--config', config], stdout=subprocess.PIPE, text=True)
        self.assertIn('ready', process.stdout.readline())
        process.terminate()
        self.assertEqual(process.wait(20), 0)
        process.stdout.close()
        config.write_text('listen = 127.0.0.1:0\n\nnonsense = 1\n')
        result = subprocess.run([BIN / 'netflowd', '--config', config], capture_output=True, text=True, timeout=20)
        self.assertEqual(result.returncode, 2)
        self.assertIn('3', result.stderr)
        self.assertIn('nonsense', result.stderr)

    def test_help_and_version(self):
        for option in ('--help', '--version'):
            result = subprocess.run([BIN / 'netflowd', option], capture_output=True, text=True, timeout=20)
            self.assertEqual(result.returncode, 0)
            self.assertIn('netflowd', result.stdout)


if __name__ == '__main__':
    unittest.main()
