"""Reverse DNS against Debian's unbound: a reverse zone for IPv4 and IPv6, NXDOMAIN, an answer too long for UDP
(truncated, must come over TCP), a name that is no host name, and a server that never answers.

Usage: dns_test.py DRIVER. Exit code 77 = skipped, unbound is not installed."""
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

DRIVER = sys.argv.pop(1) if len(sys.argv) > 1 else 'dns_driver'
UNBOUND = shutil.which('unbound') or shutil.which('unbound', path='/usr/sbin')
LONG = ''.join(f'    local-data: "7.2.0.192.in-addr.arpa. 300 IN PTR {n:03d}.{"x" * 60}.example.org."\n' for n in range(40))
V6 = '.'.join(reversed('20010db8000000000000000000000001')) + '.ip6.arpa.'
CONFIG = '''
server:
    interface: 127.0.0.1
    port: {port}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    logfile: "{folder}/log"
    num-threads: 1
    rrset-roundrobin: no
    local-zone: "2.0.192.in-addr.arpa." static
    local-data: "2.0.192.in-addr.arpa. 3600 IN SOA ns.example.org. admin.example.org. 1 3600 600 86400 120"
    local-data: "1.2.0.192.in-addr.arpa. 300 IN PTR host-1.example.org."
    local-data: "2.2.0.192.in-addr.arpa. 300 IN PTR bad/name.example.org."
{long}
    local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." static
    local-data: "{v6} 300 IN PTR six.example.org."
remote-control:
    control-enable: no
'''


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(('127.0.0.1', 0))
        return udp.getsockname()[1]


def query(port, name):
    """Raw answer of the server over UDP, or None."""
    labels = b''.join(bytes([len(part)]) + part.encode() for part in name.rstrip('.').split('.'))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.2)
        try:
            udp.sendto(b'\x12\x34\x01\x00\x00\x01' + bytes(6) + labels + b'\x00\x00\x0c\x00\x01', ('127.0.0.1', port))
            return udp.recv(4096)
        except OSError:
            return None


class Dns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.port = free_port()
        config = pathlib.Path(cls.folder.name, 'unbound.conf')
        config.write_text(CONFIG.format(port=cls.port, folder=cls.folder.name, long=LONG, v6=V6))
        cls.server = subprocess.Popen([UNBOUND, '-c', config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while query(cls.port, '1.2.0.192.in-addr.arpa') is None:
            if cls.server.poll() is not None or time.monotonic() > deadline:
                cls.tearDownClass()
                raise RuntimeError('unbound did not start')
            time.sleep(0.05)

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(10)
        cls.folder.cleanup()

    def ask(self, *addresses, server=None):
        command = [DRIVER, server or f'127.0.0.1:{self.port}', *addresses]
        out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
        counters = out.pop().split()
        return dict(line.split() for line in out), dict(zip(counters[::2], map(int, counters[1::2])))

    def test_names_of_both_families(self):
        names, counters = self.ask('192.0.2.1', '2001:db8::1')
        self.assertEqual(names, {'192.0.2.1': 'host-1.example.org', '2001:db8::1': 'six.example.org'})
        self.assertEqual(counters['names'], 2)

    def test_no_name_and_a_name_that_is_none(self):
        names, counters = self.ask('192.0.2.99', '192.0.2.2')
        self.assertEqual(set(names.values()), {'-'})
        self.assertEqual((counters['no_names'], counters['refused']), (1, 1))

    def test_a_truncated_answer_comes_over_tcp(self):
        answer = query(self.port, '7.2.0.192.in-addr.arpa')
        self.assertTrue(answer[2] & 2, 'the server must truncate for this test')
        names, _ = self.ask('192.0.2.7')
        self.assertRegex(names['192.0.2.7'], r'^\d{3}\.x{60}\.example\.org$')

    def test_many_at_once(self):
        addresses = [f'192.0.2.{n}' for n in range(1, 121)]
        names, counters = self.ask(*addresses)
        self.assertNotIn('?', names.values())
        self.assertEqual(counters['failures'], 0)

    def test_a_silent_server_is_a_failure(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(('127.0.0.1', 0))
            names, counters = self.ask('192.0.2.1', server=f'127.0.0.1:{silent.getsockname()[1]}')
        self.assertEqual((names['192.0.2.1'], counters['failures']), ('-', 1))

    def test_the_second_server_helps_out(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(('127.0.0.1', 0))
            names, _ = self.ask('192.0.2.1', server=f'127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{self.port}')
        self.assertEqual(names['192.0.2.1'], 'host-1.example.org')


if __name__ == '__main__':
    if not UNBOUND:
        print('skipped: unbound is not installed')
        sys.exit(77)
    unittest.main()
