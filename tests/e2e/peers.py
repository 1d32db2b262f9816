"""What the end-to-end tests with other programs share: netflowd and nfcapd on loopback, sums of a store, waiting."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('NETFLOW_BIN_DIR', TOP / 'build/release/bin'))


def need(name):
    """Path of a program, one of ours or the system's."""
    path = shutil.which(name, path=f'{TOP}/build/dev/bin:{BIN}:{os.environ["PATH"]}:/usr/sbin')
    if not path:
        raise unittest.SkipTest(f'{name} is not there')
    return path


def lines(command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, **options).stdout.splitlines()


def rows(command):
    return [json.loads(line) for line in lines(command)]


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


def udp_state(port):
    """(bytes waiting, datagrams dropped) of the socket on 127.0.0.1:port by the kernel; None when nobody listens."""
    for table in ('udp', 'udp6'):  # netflowd's socket is one of IPv6 with a mapped address
        for line in pathlib.Path('/proc/net', table).read_text().splitlines()[1:]:
            words = line.split()
            if words[1].endswith(f'0100007F:{port:04X}'):
                return int(words[4].split(':')[1], 16), int(words[-1])
    return None


def totals(store):
    """{protocol: (flows, octets, packets)} of a store, or of what a running daemon has stored."""
    return {r['proto']: (r['flows'], r['bytes'], r['packets'])
            for r in rows([BIN / 'netflow', 'top', '-s', store, '--by', 'proto', '-n', '0', '--format', 'json'])}


def add(sums):
    return tuple(map(sum, zip(*sums.values()))) if sums else (0, 0, 0)


class Netflowd:
    """netflowd on free ports of loopback; at the end of the with block it has stored everything."""

    def __init__(self, store, *extra):
        self.store, self.extra = store, extra

    def __enter__(self):
        self.daemon = subprocess.Popen([need('netflowd'), '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--store', self.store,
                                        *self.extra], stdout=subprocess.PIPE, text=True)
        self.ready = self.daemon.stdout.readline()
        self.port = int(re.search(r'listen 127\.0\.0\.1:(\d+)', self.ready).group(1))
        return self

    def wait_for(self, flows):
        wait_until(lambda: self.store.exists() and add(totals(self.store))[0] >= flows, f'{flows} flows')

    def __exit__(self, *problem):
        dropped = 0
        try:
            if not problem[0]:
                wait_until(lambda: udp_state(self.port)[0] == 0, 'netflowd to read everything')
                dropped = udp_state(self.port)[1]
        finally:
            self.daemon.send_signal(signal.SIGTERM)
            status = self.daemon.wait(30)
            self.daemon.stdout.close()
        assert problem[0] or (status == 0 and dropped == 0), (status, dropped)


class Nfcapd:
    """Debian's nfcapd on a free port; afterwards `said` is what it said and totals() what nfdump reads."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def __enter__(self):
        self.port, self.log = free_port(), self.folder.with_suffix('.log')
        with self.log.open('wb') as output:
            self.daemon = subprocess.Popen([need('nfcapd'), '-w', self.folder, '-b', '127.0.0.1', '-p', str(self.port), '-t', '3600', '-y'],
                                           stdout=output, stderr=output)
        wait_until(lambda: udp_state(self.port) or self.daemon.poll() is not None, 'nfcapd')
        assert self.daemon.poll() is None, self.log.read_text()
        return self

    def __exit__(self, *problem):
        dropped = 0
        try:
            if not problem[0]:
                wait_until(lambda: udp_state(self.port)[0] == 0, 'nfcapd to read everything')
                dropped = udp_state(self.port)[1]
        finally:
            self.daemon.terminate()
            self.daemon.wait(30)
        self.said = self.log.read_text()
        assert problem[0] or dropped == 0, f'{dropped} datagrams dropped by the kernel'

    def totals(self):
        info = dict(line.split(': ', 1) for line in lines([need('nfdump'), '-R', self.folder, '-I']) if ': ' in line)
        return tuple(int(info[name]) for name in ('Flows', 'Bytes', 'Packets'))
