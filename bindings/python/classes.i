/* What makes the classes feel like Python: iterators, context managers, attributes, keyword queries. */
%pythoncode %{
_FIELDS = tuple(field_names().split())


def _flow_getattr(self, name):
    if name.startswith("_") or name in ("this", "thisown"):
        raise AttributeError(name)
    try:
        return self.get(name)
    except Error:
        raise AttributeError(f"flows have no field '{name}'") from None


def _flow_setattr(self, name, value):
    if name in ("this", "thisown"):
        object.__setattr__(self, name, value)
        return
    if isinstance(value, _datetime.datetime):
        value = value.astimezone(_datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    try:
        self.set(name, str(value))
    except Error as problem:
        raise AttributeError(str(problem)) from None


def _flow_as_dict(self):
    """The fields that the exporter sent."""
    return {name: value for name in _FIELDS if (value := self.get(name)) is not None}


def _flow_repr(self):
    port = lambda p: "" if p is None else f":{p}"
    return (f"<Flow {self.src}{port(self.src_port)} -> {self.dst}{port(self.dst_port)} proto {self.proto} "
            f"{self.bytes} bytes {self.packets} packets>")


def _iterate(self):
    while (item := self._next()) is not None:
        yield item


Flow.__getattr__ = _flow_getattr
Flow.__setattr__ = _flow_setattr
Flow.__repr__ = _flow_repr
Flow.as_dict = _flow_as_dict
Parser.__iter__ = _iterate
Reader.__iter__ = _iterate


def open(path, filter=None):
    """Flows of a capture file (pcap, pcapng), one after the other."""
    return Reader(str(path), filter)


class Row(tuple):
    """One row of a result: a tuple whose items also have names."""
    __slots__ = ()

    def __getitem__(self, key):
        if isinstance(key, str):
            try:
                key = self._names.index(key)
            except ValueError:
                raise KeyError(key) from None
        return tuple.__getitem__(self, key)

    def as_dict(self):
        return dict(zip(self._names, self))


class Result:
    """Rows of a query, read as you go; or all at once as columns."""

    def __init__(self, cursor):
        self._cursor = cursor
        self.names = tuple(cursor._name(i) for i in range(cursor._width()))
        self._row = type("Row", (Row,), {"__slots__": (), "_names": self.names})

    def __iter__(self):
        while rows := self._cursor.fetch(1024):
            for row in rows:
                yield self._row(row)

    def columns(self):
        """All rows that are left as {name: list}: what pandas.DataFrame and polars.DataFrame take."""
        rows = []
        while chunk := self._cursor.fetch(65536):
            rows += chunk
        return {name: [row[i] for row in rows] for i, name in enumerate(self.names)}

    def __arrow_c_stream__(self, requested_schema=None):
        """The rows that are left as Arrow record batches: pyarrow.table(result), polars.DataFrame(result) and others take it."""
        return self._cursor._arrow()

    @property
    def token(self):
        """Where the last row stands: `after` of the next page. Of an ordered result without buckets, when its rows were read."""
        return self._cursor._token()

    @property
    def matched(self):
        """Flow records that passed window and filter; complete after the last row."""
        return self._cursor.matched()

    @property
    def distinct_error_per_mille(self):
        """How far distinct() of an approximate query may be off, per mille of the true number, in 997 of 1000 cases; 0: not at all."""
        return self._cursor.distinct_error_per_mille()


def _microseconds(time):
    if time is None:
        return 0
    if isinstance(time, int):
        return time
    if time.tzinfo is None:
        raise ValueError("a time with a zone is expected: datetime(..., tzinfo=timezone.utc)")
    epoch = _datetime.datetime(1970, 1, 1, tzinfo=_datetime.timezone.utc)
    return (time - epoch) // _datetime.timedelta(microseconds=1)


def _lists(lists):
    return "".join(f"@{name}\n" + "".join(f"{value}\n" for value in values) for name, values in lists.items()) if lists else None


def _store_query(self, filter=None, *, group_by=None, columns=None, order_by=None, ascending=False,
                 since=None, until=None, bucket=None, limit=0, offset=0, now=None, lists=None, having=None, fill=False,
                 after=None, spread=False, unique=False, biflow=False, approximate=False,
                 max_rows=0, timeout=None):
    """Ask a question. Without group_by: flow records. since, until, now: aware datetime or microseconds since
    1970; bucket: timedelta or microseconds. lists: {name: values} for `src in @name` in the filter. having: condition
    on groups. fill: rows of zeros for empty buckets; spread: flows count in all
    buckets they cover; unique: what several exporters saw counts once; biflow: both directions of a conversation are one
    record; approximate: distinct() is estimated. after: token of the last row of the page before. max_rows: examine no
    more; timeout: take no longer, in seconds; beyond it netflow.Error."""
    if isinstance(bucket, _datetime.timedelta):
        bucket = bucket // _datetime.timedelta(microseconds=1)
    return Result(self._query(filter, group_by, columns, order_by, _microseconds(since), _microseconds(until),
                              bucket or 0, limit, offset, ascending, _microseconds(now), _lists(lists), having, fill, after, spread,
                              unique, biflow, approximate, max_rows, int((timeout or 0) * 1_000_000)))


def _store_exit(self, kind, value, trace):
    if not self._read_only:
        self.sync()
    self.close()


def _store_init(original):
    def init(self, uri, create=False, read_only=False):
        original(self, str(uri), create, read_only)
        self._read_only = read_only
    return init


def _store_close(self):
    """Close now; results that are still open stay readable."""
    if self.thisown:
        self.__swig_destroy__(self)
        self.thisown = False
        self.this = None


Store.__init__ = _store_init(Store.__init__)
Store.query = _store_query
Store.close = _store_close
Store.__enter__ = lambda self: self
Store.__exit__ = _store_exit
Store.__len__ = Store.count


def _topk_add(self, key, weight=1):
    self._add(key, weight)


TopK.add = _topk_add
TopK.list = lambda self, n=10: self._list(n)
Watch.__iter__ = _iterate
import datetime as _datetime
%}
