#!/usr/bin/env python3
"""Write libnetflow/record/services_table.inc: names of IP protocols and of services, from the IANA registries.

usage: gen_services.py [--check] REGISTRIES

REGISTRIES is a folder with iana/protocol-numbers.csv and iana/service-names-port-numbers.csv (IANA's own columns).
--check writes nothing and fails if the file is out of date. Without the folder nothing is done.
"""
import csv
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
TARGET = TOP / 'libnetflow/record/services_table.inc'
TRANSPORTS = ('tcp', 'udp', 'sctp', 'dccp')
ALIAS = 0x80
LITERAL_MAX = 4000  # C11 5.2.4.1 promises 4095 characters in a string literal

# What administrators call the services they meet, where IANA's name is another one or none; this is also the
# whole table of small builds. port, name, transports (the first one is what the bare name means), other names.
WELL_KNOWN = '''
7      echo            tcp,udp
13     daytime         tcp,udp
19     chargen         udp,tcp
20     ftp-data        tcp,sctp,udp
21     ftp             tcp,sctp,udp
22     ssh             tcp,sctp,udp
23     telnet          tcp,udp
25     smtp            tcp,udp         mail
37     time            tcp,udp
43     whois           tcp,udp
49     tacacs          tcp,udp
53     dns             udp,tcp         domain
67     dhcp            udp,tcp         dhcps
68     dhcp-client     udp,tcp         dhcpc
69     tftp            udp,tcp
79     finger          tcp,udp
80     http            tcp,sctp,udp    web
88     kerberos        tcp,udp         krb5
102    iso-tsap        tcp,udp         s7comm
110    pop3            tcp,udp
111    rpcbind         tcp,udp         portmap
113    ident           tcp,udp
119    nntp            tcp,udp
123    ntp             udp,tcp
135    msrpc           tcp,udp
137    netbios-ns      udp,tcp         nbns
138    netbios-dgm     udp,tcp
139    netbios-ssn     tcp,udp         netbios
143    imap            tcp,udp         imap4
161    snmp            udp,tcp
162    snmptrap        udp,tcp         snmp-trap
177    xdmcp           udp,tcp
179    bgp             tcp,sctp,udp
389    ldap            tcp,udp
427    svrloc          udp,tcp         slp
443    https           tcp,sctp
443    quic            udp             http3
445    smb             tcp,udp         cifs
464    kpasswd         tcp,udp
465    smtps           tcp
500    ike             udp,tcp
502    modbus          tcp,udp
512    rexec           tcp
513    rlogin          tcp
514    rsh             tcp
514    syslog          udp
515    lpd             tcp,udp
520    rip             udp
521    ripng           udp,tcp
543    klogin          tcp,udp
546    dhcpv6-client   udp,tcp
547    dhcpv6          udp,tcp
548    afp             tcp,udp
554    rtsp            tcp,udp
563    nntps           tcp,udp
587    submission      tcp,udp
623    ipmi            udp
631    ipp             tcp,udp         cups
636    ldaps           tcp,udp
646    ldp             tcp,udp
853    dns-tls         tcp             dot
853    dns-quic        udp             doq
873    rsync           tcp,udp
989    ftps-data       tcp,udp
990    ftps            tcp,udp
992    telnets         tcp,udp
993    imaps           tcp,udp
995    pop3s           tcp,udp
1080   socks           tcp,udp
1194   openvpn         udp,tcp
1433   mssql           tcp,udp
1434   mssql-browser   udp,tcp
1521   oracle          tcp,udp
1645   radius-old      udp
1646   radius-acct-old udp
1701   l2tp            udp,tcp
1723   pptp            tcp,udp
1812   radius          udp,tcp
1813   radius-acct     udp,tcp
1883   mqtt            tcp,udp
1900   ssdp            udp,tcp         upnp
2049   nfs             tcp,udp,sctp
2055   netflow         udp
2083   radsec          tcp,udp
2123   gtp-c           udp
2152   gtp-u           udp
2181   zookeeper       tcp
2375   docker          tcp
2376   dockers         tcp
2379   etcd            tcp
2404   iec-104         tcp,udp
3128   squid           tcp
3260   iscsi           tcp,udp
3268   ldap-gc         tcp,udp
3269   ldaps-gc        tcp,udp
3306   mysql           tcp,udp         mariadb
3333   stratum         tcp
3389   rdp             tcp,udp
3478   stun            udp,tcp
3544   teredo          udp,tcp
3690   svn             tcp,udp
3784   bfd             udp,tcp
4500   ipsec-nat-t     udp,tcp
4739   ipfix           udp,tcp,sctp
4789   vxlan           udp
5004   rtp             udp,tcp,dccp
5060   sip             udp,tcp,sctp
5061   sips            tcp,udp,sctp
5222   xmpp            tcp             jabber
5269   xmpp-server     tcp
5349   stuns           tcp,udp
5353   mdns            udp,tcp
5355   llmnr           udp,tcp
5432   postgresql      tcp,udp         postgres
5555   adb             tcp
5601   kibana          tcp
5671   amqps           tcp,udp
5672   amqp            tcp,udp,sctp
5683   coap            udp,tcp
5684   coaps           udp,tcp
5900   vnc             tcp,udp
5938   teamviewer      tcp,udp
5985   winrm           tcp,udp
5986   winrms          tcp,udp
6000   x11             tcp,udp
6081   geneve          udp
6343   sflow           udp,tcp
6379   redis           tcp
6443   kubernetes      tcp             k8s
6514   syslog-tls      tcp,udp,dccp
6667   irc             tcp
6697   ircs            tcp
6881   bittorrent      tcp,udp
7547   cwmp            tcp,udp         tr-069
8080   http-alt        tcp,udp         http-proxy
8086   influxdb        tcp
8123   clickhouse      tcp
8291   winbox          tcp
8333   bitcoin         tcp
8443   https-alt       tcp,udp
8883   mqtts           tcp,udp
9000   clickhouse-tcp  tcp
9042   cassandra       tcp
9050   tor-socks       tcp
9090   prometheus      tcp
9092   kafka           tcp
9100   jetdirect       tcp,udp
9200   elasticsearch   tcp
9418   git             tcp,udp
9995   netflow-9995    udp
10050  zabbix-agent    tcp,udp
10051  zabbix-trapper  tcp,udp
10250  kubelet         tcp
11211  memcached       tcp,udp
15672  rabbitmq        tcp
20000  dnp3            tcp,udp
25565  minecraft       tcp
27015  steam           udp
27017  mongodb         tcp
30303  ethereum        tcp,udp
33434  traceroute      udp,tcp
41641  tailscale       udp
44818  ethernet-ip     tcp,udp         enip
47808  bacnet          udp,tcp
51820  wireguard       udp             wg
'''

# Protocol names people use instead of IANA's, and other names that are understood.
PROTO_NAMES = {58: 'icmp6', 89: 'ospf', 108: 'ipcomp', 124: 'isis', 135: 'mobility'}
PROTO_ALIASES = [(58, 'ipv6-icmp'), (58, 'icmpv6'), (89, 'ospfigp'), (4, 'ip-in-ip'), (0, 'ip6-hopopts'),
                 (135, 'mobility-header'), (136, 'udp-lite')]


def read_protocols(folder):
    names = {}
    for row in csv.DictReader((folder / 'iana/protocol-numbers.csv').open()):
        name = row['name'].replace('(deprecated)', '').strip().lower()
        if row['value'].isdigit() and name and name != 'reserved':
            names[int(row['value'])] = PROTO_NAMES.get(int(row['value']), name)
    return names


class Services:
    """Rows (port, name) -> transports; the first name of a port and transport is the one that is printed."""

    def __init__(self):
        self.rows = {}      # (port, name) -> list of transports, the first is the main one
        self.aliases = {}   # the same for names that are only understood
        self.owner = {}     # (port, transport) -> name
        self.port_of = {}   # printed name -> port

    def add(self, port, name, transports):
        free = [t for t in transports if (port, t) not in self.owner]
        taken = [t for t in transports if (port, t) in self.owner and self.owner[port, t] != name]
        if taken:
            self.add_alias(port, name, taken)
        if not free:
            return
        if self.port_of.setdefault(name, port) != port:
            self.add_alias(port, name, free)
            name = f'{name}-{port}'  # printed names are unique, so that they can be read back
            self.port_of[name] = port
        for transport in free:
            self.owner[port, transport] = name
            self.rows.setdefault((port, name), []).append(transport)

    def add_alias(self, port, name, transports):
        known = self.aliases.setdefault((port, name), [])
        known += [t for t in transports if t not in known]

    def sorted(self):
        """(port, name, bits), printed names before aliases."""
        out = [(port, 0, name, ts) for (port, name), ts in self.rows.items()]
        for (port, name), ts in self.aliases.items():
            unprinted = [t for t in ts if t not in self.rows.get((port, name), ())]
            if unprinted:
                out.append((port, 1, name, unprinted))
        for port, alias, name, transports in sorted(out, key=lambda r: r[:3]):
            bits = sum(1 << TRANSPORTS.index(t) for t in transports)
            yield port, name, bits | TRANSPORTS.index(transports[0]) << 4 | (ALIAS if alias else 0)


def add_well_known(services):
    for line in WELL_KNOWN.strip().splitlines():
        port, name, transports, *others = line.split()
        services.add(int(port), name, transports.split(','))
        for other in others:
            services.add_alias(int(port), other, transports.split(','))


def read_services(folder):
    """Registered (port, name) -> transports in the order of TRANSPORTS. Ranges of ports are left out."""
    registered = {}
    for row in csv.DictReader((folder / 'iana/service-names-port-numbers.csv').open()):
        name, port, transport = row['Service Name'].lower(), row['Port Number'], row['Transport Protocol']
        if name and port.isdigit() and int(port) and transport in TRANSPORTS:
            registered.setdefault((int(port), name), set()).add(transport)
    for (port, name), transports in registered.items():
        # Names with an underscore or a slash are older spellings of a name that follows RFC 6335.
        yield ('_' in name or '/' in name or '*' in name, port), port, name, [t for t in TRANSPORTS if t in transports]


class Blob:
    """Names one after the other, NUL-terminated, cut into literals a C compiler must take."""

    def __init__(self, names):
        self.offsets, self.parts = {}, []
        size = part_size = 0
        for name in sorted(set(names), key=lambda n: (-len(n), n)):
            if name in self.offsets:  # the tail of a longer one
                continue
            if not self.parts or part_size + len(name) + 1 > LITERAL_MAX:
                self.parts.append([])
                part_size = 0
            self.parts[-1].append(name)
            for i in range(len(name)):
                self.offsets.setdefault(name[i:], size + i)
            size += len(name) + 1
            part_size += len(name) + 1
        if size > 65535:
            sys.exit(f'{size} bytes of names: offsets need more than 16 bits')

    def source(self, symbol):
        members = ''.join(f'    char part{i}[{sum(len(n) + 1 for n in part)}];\n' for i, part in enumerate(self.parts))
        literals = []
        for part in self.parts:
            lines, line = [], ''
            for i, name in enumerate(part):
                line += name + ('\\000' if i + 1 < len(part) else '')
                if len(line) > 100 or i + 1 == len(part):
                    lines.append(f'    "{line}"')
                    line = ''
            literals.append('\n'.join(lines))
        return f'static const struct {{\n{members}}} {symbol} = {{\n' + ',\n'.join(literals) + '};\n'


def items_source(items):
    lines, line = [], '   '
    for item in items:
        if len(line) + len(item) > 114:
            lines.append(line)
            line = '   '
        line += f' {item},'
    return '\n'.join(lines + [line]) + '\n'


def rows_source(rows):
    return items_source('{' + ', '.join(map(str, row)) + '}' for row in rows)


def numbers_source(numbers):
    return items_source(map(str, numbers))


def services_source(services):
    rows = list(services.sorted())
    blob = Blob(name for _, name, _ in rows)
    body = rows_source((port, blob.offsets[name], len(name), f'0x{bits:02x}') for port, name, bits in rows)
    pages = [sum(port < page * 256 for port, _, _ in rows) for page in range(257)]
    return (blob.source('service_names') + f'\nstatic const service_row service_rows[{len(rows)}] = {{\n{body}}};\n'
            + f'\nstatic const uint16_t service_pages[257] = {{\n{numbers_source(pages)}}};\n')


def protocols_source(names):
    blob = Blob(list(names.values()) + [name for _, name in PROTO_ALIASES])
    rows = [(i, blob.offsets[names[i]]) for i in sorted(names)]
    aliases = [(number, blob.offsets[name]) for number, name in PROTO_ALIASES]
    return (blob.source('proto_names') + f'\nstatic const proto_row proto_rows[{len(rows)}] = {{\n{rows_source(rows)}}};\n'
            + f'\nstatic const proto_row proto_aliases[{len(aliases)}] = {{\n{rows_source(aliases)}}};\n')


def text(folder):
    small, large = Services(), Services()
    add_well_known(small)
    add_well_known(large)
    for _, port, name, transports in sorted(read_services(folder)):
        large.add(port, name, transports)
        if (port, name) not in small.aliases and any((port, t) in small.owner for t in transports):
            small.add_alias(port, name, [t for t in transports if (port, t) in small.owner])
    return ('/* Generated by tools/gen_services.py from the IANA registries of protocol numbers and service names. */\n\n'
            + protocols_source(read_protocols(folder)) + '\n#ifdef NFL_WITH_LARGE_TABLES\n\n' + services_source(large)
            + '\n#else\n\n' + services_source(small) + '\n#endif\n')


def main():
    arguments = [a for a in sys.argv[1:] if a != '--check']
    if len(arguments) != 1:
        sys.exit(__doc__)
    folder = pathlib.Path(arguments[0])
    if not (folder / 'iana/service-names-port-numbers.csv').exists():
        print(f'{folder}: no registries there, services_table.inc is left as it is')
        return 0
    wanted = text(folder)
    if '--check' in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text() != wanted:
            print(f'{TARGET.relative_to(TOP)} is out of date: run tools/gen_services.py', file=sys.stderr)
            return 1
        return 0
    TARGET.write_text(wanted)
    return 0


if __name__ == '__main__':
    sys.exit(main())
