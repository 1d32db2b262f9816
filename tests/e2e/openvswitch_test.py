#!/usr/bin/python3
"""Debian's Open vSwitch forwards packets between two ports that exist in its process alone, and exports them to netflowd: NetFlow v5,
IPFIX (a template per kind of packet, samples on the way in and out) and sFlow, every packet sampled. Nothing leaves loopback."""
import pathlib
import subprocess
import tempfile
import unittest

from peers import BIN, Netflowd, lines, need, rows, wait_until

SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema'
COUNT = 10
ETHERNET = 'in_port({port}),eth(src=50:54:00:00:00:0{port},dst=50:54:00:00:00:0{other}),'
# {conversation: (port, packet, its length with Ethernet, of which headers below IP)}
PACKETS = {
    ('192.0.2.1', '198.51.100.2', 1234, 80, 6): (
        1, 'eth_type(0x0800),ipv4(src=192.0.2.1,dst=198.51.100.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=1234,dst=80)', 200, 14),
    ('2001:db8::1', '2001:db8::2', 53, 5353, 17): (
        2, 'eth_type(0x8100),vlan(vid=99,pcp=3),encap(eth_type(0x86dd),ipv6(src=2001:db8::1,dst=2001:db8::2,label=0,proto=17,'
        'tclass=0,hlimit=64,frag=no),udp(src=53,dst=5353))', 300, 18)}


class Switch:
    """A database and a switch of this test alone."""

    def __init__(self, folder):
        self.folder, self.running = folder, []
        self.environment = {'OVS_RUNDIR': str(folder), 'OVS_LOGDIR': str(folder), 'PATH': '/usr/bin:/usr/sbin:/bin:/sbin'}

    def start(self, program, control, *arguments):
        with (self.folder / f'{program}.out').open('wb') as output:
            self.running.append(subprocess.Popen([need(program), '--no-chdir', f'--unixctl={self.folder / control}', *arguments],
                                                 env=self.environment, stdout=output, stderr=output))
        wait_until(lambda: (self.folder / control).exists() or self.running[-1].poll() is not None, program)
        assert self.running[-1].poll() is None, (self.folder / f'{program}.out').read_text()

    def __enter__(self):
        database = self.folder / 'conf.db'
        try:
            lines([need('ovsdb-tool'), 'create', database, SCHEMA])
            self.start('ovsdb-server', 'db.ctl', f'--remote=punix:{self.folder}/db.sock', database)
            self.configure('--no-wait', 'init')
            self.start('ovs-vswitchd', 'switch.ctl', '--enable-dummy=override', '--disable-system', f'unix:{self.folder}/db.sock')
            bridge = ['add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=dummy', 'fail-mode=standalone']
            for port in (1, 2):
                bridge += ['--', 'add-port', 'br0', f'p{port}', '--', 'set', 'interface', f'p{port}', 'type=dummy', f'ofport_request={port}']
            self.configure(*bridge)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *problem):
        for process in reversed(self.running):
            process.terminate()
            process.wait(30)

    def configure(self, *arguments):
        lines([need('ovs-vsctl'), f'--db=unix:{self.folder}/db.sock', '-t', '20', *arguments], env=self.environment)

    def receive(self):
        for port, packet, length, _ in PACKETS.values():
            frame = ETHERNET.format(port=port, other=3 - port) + packet
            for _ in range(COUNT):
                lines([need('ovs-appctl'), '-t', self.folder / 'switch.ctl', 'netdev-dummy/receive', f'p{port}', frame, '--len',
                       str(length)], env=self.environment)


class OpenVSwitch(unittest.TestCase):
    def setUp(self):
        need('ovs-vswitchd')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)

    def export(self, kind, table, *settings):
        """Flows that were stored when the switch was told to export so."""
        store = self.work / 'store'
        with Netflowd(store) as daemon, Switch(self.work) as switch:
            switch.configure('--', 'set', 'bridge', 'br0', f'{kind}=@new', '--', '--id=@new', 'create', table,
                             f'targets="127.0.0.1:{daemon.port}"', *settings)
            switch.receive()
            wait_until(lambda: self.arrived(store, kind), f'{kind} of all packets')
        return self.stored(store)

    def stored(self, store):
        columns = 'src,dst,src_port,dst_port,proto,bytes,packets,vlan,direction,version,domain'
        return rows([BIN / 'netflow', 'flows', '-s', store, '-n', '0', '--format', 'json', '--columns', columns])

    def arrived(self, store, kind):
        if not store.exists():
            return False
        sums = self.sums(f for f in self.stored(store) if f.get('direction') != 1)
        return sum(packets for _, packets in sums.values()) >= (COUNT if kind == 'netflow' else 2 * COUNT)

    def sums(self, flows):
        sums = {}
        for f in flows:
            key = (f['src'], f['dst'], f['src_port'], f['dst_port'], f['proto'])
            octets, packets = sums.get(key, (0, 0))
            sums[key] = (octets + f['bytes'], packets + f['packets'])
        return sums

    def want(self):
        return {key: (COUNT * (length - below), COUNT) for key, (_, _, length, below) in PACKETS.items()}

    def test_netflow_v5(self):
        flows = self.export('netflow', 'NetFlow', 'active_timeout=1')
        self.assertEqual({f['version'] for f in flows}, {5})
        key, (_, _, length, _) = next(iter(PACKETS.items()))  # it has no IPv6 there, and counts Ethernet octets
        self.assertEqual(self.sums(flows), {key: (COUNT * length, COUNT)})

    def test_ipfix(self):
        flows = self.export('ipfix', 'IPFIX', 'sampling=1', 'obs_domain_id=7', 'cache_active_timeout=0')
        self.assertEqual({(f['version'], f['domain']) for f in flows}, {(10, 7)})
        self.assertEqual(self.sums(f for f in flows if f['direction'] == 0), self.want())
        self.assertEqual({f['src']: f.get('vlan') for f in flows}, {'192.0.2.1': None, '2001:db8::1': 99})

    def test_sflow(self):
        flows = self.export('sflow', 'sFlow', 'sampling=1', 'polling=1', 'header=128', 'agent=127.0.0.1')
        self.assertEqual({f['version'] for f in flows}, {105})
        self.assertEqual(self.sums(flows), self.want())
        self.assertEqual({f['src']: f.get('vlan') for f in flows}, {'192.0.2.1': None, '2001:db8::1': 99})


if __name__ == '__main__':
    unittest.main()
