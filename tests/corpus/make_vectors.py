#!/usr/bin/python3
"""Make the vectors of tests/corpus/vectors with the library's own encoder: PYTHONPATH=build/dev/python tests/corpus/make_vectors.py FOLDER

Below FOLDER/conformance a folder each, as run_corpus.py reads them. expected.jsonl is not made here: it was written by
`netflow decode`, compared with what is below and with tshark, and is what the decoder is held to.
"""
import json
import pathlib
import struct
import sys

import netflow

NOW = 1795428000_000000  # 2026-11-23T10:00:00Z
TIMES = dict(first='2026-11-23T09:59:58Z', last='2026-11-23T09:59:59.5Z', received='2026-11-23T10:00:00Z')
REQUEST = dict(src='192.0.2.1', dst='198.51.100.2', src_port=40000, dst_port=443, proto=6, tcp_flags=27, bytes=1500, packets=3, in_if=1,
               out_if=2, tos=0)
ANSWER = dict(src='198.51.100.2', dst='192.0.2.1', src_port=443, dst_port=40000, proto=6, tcp_flags=27, bytes=2**33, packets=9, in_if=2,
              out_if=1, tos=8)
LONG = dict(src='2001:db8::1', dst='2001:db8::2', src_port=53, dst_port=5353, proto=17, bytes=300, packets=1, flow_label=0xabcde, in_if=3)
BIFLOW = dict(REQUEST, reverse_bytes=9000, reverse_packets=7)
NAT = dict(REQUEST, nat_src='203.0.113.7', nat_src_port=1024, nat_event=4)
PING = dict(src='192.0.2.1', dst='192.0.2.9', proto=1, icmp_type=8, icmp_code=0, bytes=84, packets=1)
SMALL_ANSWER = dict(ANSWER, bytes=2**32 - 1)
# {name: (version, options of the encoder, what is sent)}
CASES = {
    'v5': (5, {'domain': 257}, [REQUEST, SMALL_ANSWER, PING]),
    'v9': (9, {'domain': 7}, [REQUEST, LONG, PING, ANSWER]),
    'v9-names': (9, {'domain': 7}, [('in_if', 1, 'eth0', 'uplink'), ('in_if', 2, 'eth1', None), ('app_id', 13 << 24 | 1, 'voice', 'calls'), REQUEST]),
    'ipfix': (10, {'domain': 9}, [REQUEST, LONG, PING, ANSWER, REQUEST]),
    'ipfix-names': (10, {'domain': 9}, [('in_if', 1, 'eth0', 'uplink ' * 40), ('in_vrf', 5, 'red', None), REQUEST]),
    'ipfix-biflow-and-nat': (10, {'domain': 9}, [BIFLOW, NAT]),
}


def checksum(header):
    total = sum(struct.unpack('>10H', header))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def packet(payload, port):
    udp = struct.pack('>4H', port, port, 8 + len(payload), 0)
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, bytes([192, 0, 2, 254]), bytes([192, 0, 2, 253]))
    return ip[:10] + struct.pack('>H', checksum(ip)) + ip[12:] + udp + payload


def flow_of(fields):
    flow = netflow.Flow()
    for name, value in (TIMES | fields).items():
        flow.set(name, str(value))
    return flow


def datagrams(version, options, items):
    encoder = netflow.Encoder(version=version, **options)
    for item in items:
        add = (lambda: encoder.add(flow_of(item), NOW)) if isinstance(item, dict) else \
            (lambda: encoder.add_name(item[0], item[1], item[2], NOW, item[3]))
        while not add():
            yield encoder.take(NOW)
    yield encoder.take(NOW)


def main():
    for name, (version, options, items) in CASES.items():
        folder = pathlib.Path(sys.argv[1]) / 'conformance' / name
        folder.mkdir(parents=True, exist_ok=True)
        raw = 101
        capture = struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, raw)
        for payload in datagrams(version, options, items):
            data = packet(payload, 4739 if version == 10 else 2055)
            capture += struct.pack('<IIII', NOW // 1000000, 0, len(data), len(data)) + data
        (folder / 'case.pcap').write_bytes(capture)
        (folder / 'meta.json').write_text(json.dumps({'title': name, 'versions': [version]}) + '\n')


if __name__ == '__main__':
    main()
