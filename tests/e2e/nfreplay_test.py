#!/usr/bin/python3
"""Debian's nfreplay sends to netflowd what nfcapd kept, as NetFlow v5 and v9. What is stored equals what nfdump says."""
import pathlib
import subprocess
import tempfile
import unittest

from peers import BIN, TOP, Netflowd, Nfcapd, add, lines, need, totals

EXPORTS = TOP / 'examples/data/exports.pcap'


class Nfreplay(unittest.TestCase):
    def setUp(self):
        self.nfreplay = need('nfreplay')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)

    def check(self, version):
        with Nfcapd(self.work / 'nfcapd') as collector:
            subprocess.run([BIN / 'netflow', 'replay', EXPORTS, '--collector', f'127.0.0.1:{collector.port}', '--rate', '1000'],
                           check=True, capture_output=True, timeout=60)
        flows, octets, packets = collector.totals()
        self.assertGreater(flows, 100)
        with Netflowd(self.work / 'store') as daemon:
            for file in sorted(collector.folder.glob('nfcapd.*')):
                subprocess.run([self.nfreplay, '-r', file, '-H', '127.0.0.1', '-p', str(daemon.port), '-v', str(version)],
                               check=True, capture_output=True, timeout=60)
            want = self.sums(collector.folder, version)
            daemon.wait_for(want[0])
        self.assertEqual(add(totals(self.work / 'store')), want)

    def sums(self, folder, version):
        """(flows, octets, packets) by nfdump; NetFlow v5 has no IPv6."""
        text = '\n'.join(lines([need('nfdump'), '-R', folder, '-o', 'csv', *(['inet'] if version == 5 else [])]))
        summary = text.split('Summary\n')[1].splitlines()
        values = dict(zip(summary[0].split(','), summary[1].split(',')))
        return int(values['flows']), int(values['bytes']), int(values['packets'])

    def test_version_5(self):
        self.check(5)

    def test_version_9(self):
        self.check(9)


if __name__ == '__main__':
    unittest.main()
