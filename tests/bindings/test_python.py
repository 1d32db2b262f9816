"""The Python module as a script writer uses it."""
import datetime
import gc
import os
import pathlib
import tempfile
import unittest

import arrow
import netflow

DATA = pathlib.Path(os.environ['NETFLOW_DATA'])
EXPORTS = DATA / 'exports.pcap'
UTC = datetime.timezone.utc


def a_flow(**fields):
    flow = netflow.Flow()
    defaults = dict(first='2026-11-23T10:00:00Z', last='2026-11-23T10:00:01.5Z', received='2026-11-23T10:00:02Z', src='192.0.2.1',
                    dst='198.51.100.2', src_port='40000', dst_port='443', proto='6', bytes='1500', packets='3', flows='1')
    for name, text in (defaults | fields).items():
        flow.set(name, str(text))
    return flow


class Flows(unittest.TestCase):
    def test_what_is_set_is_read(self):
        flow, when = netflow.Flow(), datetime.datetime(2026, 11, 23, 10, 0, 0, 250000, datetime.timezone.utc)
        flow.src, flow.in_if, flow.bytes, flow.first = '192.0.2.1', 7, 2**64 - 1, when
        self.assertEqual((flow.src, flow.in_if, flow.bytes, flow.first), ('192.0.2.1', 7, 2**64 - 1, when))
        with self.assertRaises(AttributeError):
            flow.no_such_field = 1
        with self.assertRaises(AttributeError):
            flow.in_if = -1


class Captures(unittest.TestCase):
    def test_open_yields_every_flow(self):
        flows = list(netflow.open(EXPORTS))
        self.assertEqual(len(flows), 164)
        self.assertEqual(sum(f.bytes for f in flows), 4391319)
        self.assertEqual(sum(f.packets for f in flows), 1100)

    def test_open_takes_a_filter(self):
        web = list(netflow.open(EXPORTS, 'proto tcp and port 80'))
        self.assertTrue(web)
        self.assertTrue(all(80 in (f.src_port, f.dst_port) for f in web))

    def test_fields_have_the_types_a_person_expects(self):
        flow = next(iter(netflow.open(EXPORTS, 'src ip 192.0.2.11 and dst port 80')))
        self.assertEqual(flow.src, '192.0.2.11')
        self.assertIsInstance(flow.first, datetime.datetime)
        self.assertEqual(flow.first.tzinfo, UTC)
        self.assertIsInstance(flow.duration, float)
        self.assertEqual(flow.app, 'http')
        self.assertIsNone(flow.nat_src)
        self.assertIn('bytes', flow.as_dict())
        self.assertNotIn('nat_src', flow.as_dict())
        self.assertIn('192.0.2.11', repr(flow))
        with self.assertRaises(AttributeError):
            flow.no_such_field

    def test_a_missing_file_and_a_bad_filter_are_exceptions(self):
        with self.assertRaises(netflow.Error) as caught:
            netflow.open(DATA / 'no-such-file')
        self.assertEqual(caught.exception.name, 'NFL_E_IO')
        with self.assertRaises(netflow.Error) as caught:
            netflow.open(EXPORTS, 'src ip nonsense')
        self.assertEqual(caught.exception.name, 'NFL_E_SYNTAX')
        self.assertEqual(caught.exception.offset, 7)
        self.assertIsInstance(caught.exception, ValueError)

    def test_a_file_that_is_no_capture_is_an_exception(self):
        with self.assertRaises(netflow.Error):
            list(netflow.open(DATA / 'README.md'))


class Parsing(unittest.TestCase):
    def test_what_the_encoder_writes_the_parser_reads(self):
        encoder, parser = netflow.Encoder(version=9, domain=7), netflow.Parser()
        now = 1795440000_000000
        self.assertTrue(encoder.add(a_flow(), now))
        data = encoder.take(now)
        self.assertIsNone(encoder.take(now))
        parser.feed('203.0.113.9', now, data)
        flow, = list(parser)
        self.assertEqual((flow.src, flow.dst, flow.bytes, flow.domain, flow.exporter),
                         ('192.0.2.1', '198.51.100.2', 1500, 7, '203.0.113.9'))
        self.assertEqual(flow.duration, 1.5)

    def test_input_may_be_any_buffer_and_goes_away_at_once(self):
        encoder, parser = netflow.Encoder(version=10), netflow.Parser()
        encoder.add(a_flow(), 1795440000_000000)
        data = bytearray(encoder.take(1795440000_000000))
        parser.feed('203.0.113.9', 0, memoryview(data))
        data[:] = bytes(len(data))
        self.assertEqual(next(iter(parser)).src, '192.0.2.1')

    def test_names_that_the_exporter_told_are_found(self):
        parser = netflow.Parser()
        sets = bytes.fromhex('0003 0012 0101 0002 0001 000a 0004 0052 ffff  0101 000d 00000007 04 65746830'
                             '0002 0014 0100 0003 000a 0004 000e 0004 0001 0004  0100 0010 00000007 00000008 00000064')
        parser.feed('203.0.113.9', 0, b'\0\x0a' + (16 + len(sets)).to_bytes(2, 'big') + bytes(11) + b'\7' + sets)
        flow, = list(parser)
        self.assertEqual((flow.in_if, parser.name(flow, 'in_if'), parser.name(flow, 'out_if')), (7, 'eth0', None))
        self.assertIsNone(parser.name(flow, 'app_id'))
        with self.assertRaises(netflow.Error):
            parser.name(flow, 'bytes')
        with self.assertRaises(netflow.Error):
            parser.name(flow, 'no_such_field')
        reader = netflow.Reader(str(EXPORTS))
        self.assertIsNone(reader.name(flow, 'in_if'))

    def test_names_that_the_encoder_tells_are_found(self):
        encoder, parser = netflow.Encoder(version=10, domain=7), netflow.Parser()
        now = 1795440000_000000
        self.assertTrue(encoder.add_name('in_if', 7, 'eth0', now))
        self.assertTrue(encoder.add_name('app_id', 13 << 24 | 1, 'voice', now, 'Calls of the house'))
        with self.assertRaises(netflow.Error):
            encoder.add_name('bytes', 7, 'eth0', now)
        with self.assertRaises(netflow.Error):
            encoder.add_name('in_vrf', 7, 'red', now, 'VRFs have no description')
        flow = a_flow()
        flow.in_if = 7
        self.assertTrue(encoder.add(flow, now))
        parser.feed('203.0.113.9', now, encoder.take(now))
        flow, = list(parser)
        self.assertEqual(parser.name(flow, 'in_if'), 'eth0')
        with self.assertRaises(netflow.Error):
            netflow.Encoder(version=5).add_name('in_if', 7, 'eth0', now)

    def test_rubbish_is_an_exception(self):
        with self.assertRaises(netflow.Error):
            netflow.Parser().feed('203.0.113.9', 0, b'\0')
        with self.assertRaises(netflow.Error):
            netflow.Parser().feed('not an address', 0, b'\0\5')
        with self.assertRaises(TypeError):
            netflow.Parser().feed('203.0.113.9', 0, 'text')


class Stores(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / 'store'

    def fill(self):
        with netflow.Store(self.path, create=True) as store:
            for flow in netflow.open(EXPORTS):
                store.append(flow)

    def test_what_is_appended_is_there_after_reopening(self):
        self.fill()
        with netflow.Store(self.path, read_only=True) as store:
            self.assertEqual(len(store), 164)
            total, = store.query(columns='bytes,packets,flows', group_by='version')
            self.assertEqual((total['bytes'], total['packets'], total['flows']), (4391319, 1100, 164))

    def test_what_is_held_is_compacted_but_not_dropped(self):
        self.fill()
        with netflow.Store(self.path) as store:
            store.sync(3)
            store.compact(all=True)
            self.assertEqual(len(store), 164)
            store.hold('case-17', 0, 4102444800000000, 'court order')
            store.expire(4102444800000000)
            self.assertEqual(len(store), 164)
            store.release('case-17')
            store.retain(max_bytes=1)
            self.assertEqual(len(store), 0)
            with self.assertRaises(netflow.Error):
                store.release('case-17')
            with self.assertRaises(netflow.Error):
                store.hold('x' * 100, 0, 1, '')

    def test_groups_are_ranked_and_limited(self):
        self.fill()
        with netflow.Store(self.path, read_only=True) as store:
            rows = list(store.query(group_by='src', limit=3))
            self.assertEqual(len(rows), 3)
            sums = [row['bytes'] for row in rows]
            self.assertEqual(sums, sorted(sums, reverse=True))
            exact = {}
            for flow in netflow.open(EXPORTS):
                exact[flow.src] = exact.get(flow.src, 0) + flow.bytes
            best = sorted(exact.items(), key=lambda item: -item[1])[:3]
            self.assertEqual([(row['src'], row['bytes']) for row in rows], best)
            self.assertEqual(rows[0].as_dict()['src'], rows[0][0])

    def test_records_can_be_filtered_sorted_and_paged(self):
        self.fill()
        with netflow.Store(self.path, read_only=True) as store:
            everything = [r['bytes'] for r in store.query('proto tcp', order_by='bytes', columns='bytes')]
            self.assertEqual(everything, sorted(everything, reverse=True))
            page = [r['bytes'] for r in store.query('proto tcp', order_by='bytes', columns='bytes', limit=5, offset=5)]
            self.assertEqual(page, everything[5:10])
            paged, after = [], None
            while True:
                result = store.query('proto tcp', order_by='bytes', columns='bytes', limit=7, after=after)
                rows = [r['bytes'] for r in result]
                if not rows:
                    break
                paged += rows
                after = result.token
            self.assertEqual(paged, everything)
            with self.assertRaises(netflow.Error):
                store.query('proto udp', order_by='bytes', columns='bytes', limit=7, after=after)

    def test_groups_have_conditions_and_buckets_without_flows(self):
        self.fill()
        with netflow.Store(self.path, read_only=True) as store:
            groups = {r['src']: r['flows'] for r in store.query(group_by='src')}
            many = {r['src']: r['flows'] for r in store.query(group_by='src', having='flows > 10')}
            self.assertEqual(many, {src: flows for src, flows in groups.items() if flows > 10})
            self.assertTrue(0 < len(many) < len(groups))
            tenth = datetime.timedelta(milliseconds=100)
            some = store.query(bucket=tenth, columns='flows').columns()
            every = store.query(bucket=tenth, columns='flows', fill=True).columns()
            self.assertGreater(len(every['time']), len(some['time']))
            self.assertEqual(sum(every['flows']), sum(some['flows']))
            whole, spread = (store.query(bucket=tenth, columns='bytes', spread=s).columns() for s in (False, True))
            self.assertEqual(sum(spread['bytes']), sum(whole['bytes']))
            self.assertNotEqual(spread['bytes'], whole['bytes'])
            self.assertEqual(sum(store.query(bucket=tenth, columns='flows', unique=True).columns()['flows']), 164)
            exact, estimated = (store.query(group_by='proto', columns='distinct(src)', approximate=a) for a in (False, True))
            self.assertEqual(exact.columns(), estimated.columns())
            self.assertEqual(estimated.distinct_error_per_mille, 0)
            with self.assertRaisesRegex(netflow.Error, '100 rows'):
                store.query(group_by='src', max_rows=100)
            self.assertEqual(sum(store.query(group_by='src', timeout=100, columns='flows').columns()['flows']), 164)
            talks = store.query(columns='bytes,reverse_bytes', biflow=True).columns()
            self.assertLess(len(talks['bytes']), 164)
            self.assertEqual(sum(talks['bytes']) + sum(n or 0 for n in talks['reverse_bytes']), sum(whole['bytes']))

    def test_columns_are_lists_for_data_frames(self):
        self.fill()
        with netflow.Store(self.path, read_only=True) as store:
            columns = store.query(columns='first,src,bytes').columns()
            self.assertEqual(list(columns), ['first', 'src', 'bytes'])
            self.assertEqual([len(c) for c in columns.values()], [164] * 3)

    def test_filters_name_lists(self):
        self.fill()
        with netflow.Store(self.path) as store:
            lists = {'web': [80, 'https'], 'hosts': ['192.0.2.11', '198.51.100.0/24'], 'none': []}
            ask = lambda text: store.query(text, columns='src,dst,bytes', lists=lists).columns()
            self.assertEqual(ask('src in @hosts and port in @web'),
                             ask('src in [192.0.2.11, 198.51.100.0/24] and port in [80, https]'))
            self.assertGreater(len(ask('src in @hosts')['src']), 10)
            self.assertEqual(ask('src in @none')['src'], [])
            with self.assertRaisesRegex(netflow.Error, "list 'web', line 1: found '80', an address") as caught:
                ask('src in @web')
            self.assertEqual((caught.exception.name, caught.exception.offset), ('NFL_E_SYNTAX', 8))
            for name in ('we', 'webs'):
                with self.assertRaisesRegex(netflow.Error, f"list '{name}': not among the lists"):
                    ask(f'port in @{name}')
            with self.assertRaises(netflow.Error) as caught:
                store.query('src in @hosts')
            self.assertEqual(caught.exception.name, 'NFL_E_NOT_FOUND')

    def test_results_are_arrow_streams(self):
        self.fill()
        with netflow.Store(self.path) as store:
            for question in (dict(columns='first,duration,src,dst,src_port,proto,bytes,nat_src,app,src_mac'), dict(group_by='dst,app'),
                             dict(filter='packets = 0')):
                with self.subTest(question):
                    kinds, columns, batches = arrow.read(store.query(**question))
                    self.assertEqual(columns, store.query(**question).columns())
                    self.assertEqual(sum(batches), len(columns[next(iter(kinds))]))
            self.assertEqual(arrow.read(store.query(columns='first,duration,src,proto'))[0],
                             {'first': 'tsu:UTC', 'duration': 'tDu', 'src': 'u', 'proto': 'C'})

    def test_an_arrow_stream_takes_what_the_result_has_left(self):
        self.fill()
        with netflow.Store(self.path) as store:
            result = store.query(columns='src', limit=30)
            first = result._cursor.fetch(10)
            stream = result.__arrow_c_stream__()
            del result, stream  # never read
            result = store.query(columns='src', limit=30)
            rows = [row[0] for row in result._cursor.fetch(10)]
            self.assertEqual(rows, [row[0] for row in first])
            rows += arrow.read(result)[1]['src']
            self.assertEqual(rows, store.query(columns='src', limit=30).columns()['src'])
            self.assertEqual(list(result), [])
            self.assertEqual(result.matched, 164)

    def test_pyarrow_takes_results(self):
        try:
            import pyarrow
        except ImportError:
            self.skipTest('no pyarrow')
        self.fill()
        with netflow.Store(self.path) as store:
            question = dict(columns='first,duration,src,bytes,nat_src')
            table = pyarrow.RecordBatchReader.from_stream(store.query(**question)).read_all()
            table.validate(full=True)
            expected = store.query(**question).columns()
            self.assertEqual(table.column('src').to_pylist(), expected['src'])
            self.assertEqual([t.timestamp() for t in table.column('first').to_pylist()], [t.timestamp() for t in expected['first']])
            self.assertEqual([d.total_seconds() for d in table.column('duration').to_pylist()], expected['duration'])
            self.assertEqual(table.column('nat_src').null_count, 164)

    def test_windows_take_datetimes(self):
        with netflow.Store(self.path, create=True) as store:
            for minute in range(10):
                store.append(a_flow(first=f'2026-11-23T10:{minute:02}:00Z', last=f'2026-11-23T10:{minute:02}:01Z'))
            since = datetime.datetime(2026, 11, 23, 10, 3, tzinfo=UTC)
            result = store.query(since=since, until=since + datetime.timedelta(minutes=4))
            self.assertEqual(len(list(result)), 4)
            self.assertEqual(result.matched, 4)
            series = list(store.query(bucket=datetime.timedelta(minutes=5)))
            self.assertEqual([row['flows'] for row in series], [5, 5])
            with self.assertRaises(ValueError):
                store.query(since=datetime.datetime(2026, 11, 23))

    def test_objects_may_go_in_any_order(self):
        self.fill()
        store = netflow.Store(self.path, read_only=True)
        rows = iter(store.query(columns='src'))
        del store
        gc.collect()
        self.assertEqual(sum(1 for _ in rows), 164)

    def test_failures_are_exceptions(self):
        with self.assertRaises(netflow.Error) as caught:
            netflow.Store(self.path)
        self.assertEqual(caught.exception.name, 'NFL_E_NOT_FOUND')
        with netflow.Store(self.path, create=True) as store:
            with self.assertRaises(netflow.Error):
                store.query(group_by='no_such_field')
            with self.assertRaises(netflow.Error) as caught:
                netflow.Store(self.path)
            self.assertEqual(caught.exception.name, 'NFL_E_BUSY')


class Sketches(unittest.TestCase):
    def test_top_keys_with_bounds(self):
        top = netflow.TopK(counters=1024, key_len=4)
        for i in range(1000):
            top.add(i.to_bytes(4, 'big'), 1 + (i == 7) * 5000)
        other = netflow.TopK(counters=1024, key_len=4)
        other.add((7).to_bytes(4, 'big'), 100)
        top.merge(other)
        key, weight, error, certain = top.list(1)[0]
        self.assertEqual(key, (7).to_bytes(4, 'big'))
        self.assertTrue(weight - error <= 5101 <= weight)
        self.assertTrue(certain)
        self.assertEqual(top.total(), 1000 + 5000 + 100)
        with self.assertRaises(netflow.Error):
            top.add(b'longer', 1)
        with self.assertRaises(netflow.Error):
            top.merge(netflow.TopK(counters=2048, key_len=4))


class Detection(unittest.TestCase):
    def test_a_port_scan_is_found(self):
        watch = netflow.Watch()
        start = 1795440000
        for port in range(1, 200):
            at = f'{start + port / 10:.1f}'
            watch.feed(a_flow(first=at, last=at, received=at, src='203.0.113.5', dst='10.0.0.9', src_port=50000, dst_port=port,
                              tcp_flags=2, packets=1, bytes=44))
            watch.feed(a_flow(first=at, last=at, received=at, src='10.0.0.9', dst='203.0.113.5', src_port=port, dst_port=50000,
                              tcp_flags=0x14, packets=1, bytes=40))
        watch.flush()
        findings = list(watch)
        self.assertIn('scan_vertical', [f.detector for f in findings])
        scan = next(f for f in findings if f.detector == 'scan_vertical')
        self.assertEqual(scan.entity, '203.0.113.5')
        self.assertIn('T1046', scan.attack)
        self.assertGreaterEqual(scan.observed, scan.threshold)
        netflow.Filter(scan.filter)

    def test_unknown_detectors_are_refused(self):
        with self.assertRaises(netflow.Error):
            netflow.Watch(detectors='no_such_detector')


class Filters(unittest.TestCase):
    def test_match(self):
        self.assertTrue(netflow.Filter('dst port 443 and bytes > 1k').match(a_flow()))
        self.assertFalse(netflow.Filter('dst port 80').match(a_flow()))


if __name__ == '__main__':
    unittest.main()
