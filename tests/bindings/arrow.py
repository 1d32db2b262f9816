"""A reader of the Arrow C stream interface without Arrow: what a consumer of the PyCapsule protocol does, in ctypes."""
import ctypes
import datetime

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)


class Schema(ctypes.Structure):
    pass


class Array(ctypes.Structure):
    pass


class Stream(ctypes.Structure):
    pass


Schema._fields_ = [('format', ctypes.c_char_p), ('name', ctypes.c_char_p), ('metadata', ctypes.c_char_p), ('flags', ctypes.c_int64),
                   ('n_children', ctypes.c_int64), ('children', ctypes.POINTER(ctypes.POINTER(Schema))),
                   ('dictionary', ctypes.POINTER(Schema)), ('release', ctypes.CFUNCTYPE(None, ctypes.POINTER(Schema))),
                   ('private_data', ctypes.c_void_p)]
Array._fields_ = [('length', ctypes.c_int64), ('null_count', ctypes.c_int64), ('offset', ctypes.c_int64), ('n_buffers', ctypes.c_int64),
                  ('n_children', ctypes.c_int64), ('buffers', ctypes.POINTER(ctypes.c_void_p)),
                  ('children', ctypes.POINTER(ctypes.POINTER(Array))), ('dictionary', ctypes.POINTER(Array)),
                  ('release', ctypes.CFUNCTYPE(None, ctypes.POINTER(Array))), ('private_data', ctypes.c_void_p)]
Stream._fields_ = [('get_schema', ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Stream), ctypes.POINTER(Schema))),
                   ('get_next', ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Stream), ctypes.POINTER(Array))),
                   ('get_last_error', ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(Stream))),
                   ('release', ctypes.CFUNCTYPE(None, ctypes.POINTER(Stream))), ('private_data', ctypes.c_void_p)]

NUMBERS = {'C': ctypes.c_uint8, 'S': ctypes.c_uint16, 'I': ctypes.c_uint32, 'L': ctypes.c_uint64}
TIMES = {'tsu:UTC': lambda us: EPOCH + datetime.timedelta(microseconds=us), 'tDu': lambda us: us / 1e6}


def bytes_at(address, start, length):
    return ctypes.string_at(address + start, length) if length else b''


def column(kind, array):
    """Values of one array as a list, None where there is none."""
    length, buffers = array.length, array.buffers
    bits = ctypes.string_at(buffers[0], (length + 7) // 8) if buffers[0] else None
    if kind == 'u':
        at = ctypes.cast(buffers[1], ctypes.POINTER(ctypes.c_int32))[:length + 1]
        values = [bytes_at(buffers[2], at[i], at[i + 1] - at[i]).decode() for i in range(length)]
    elif kind in TIMES:
        values = [TIMES[kind](us) for us in ctypes.cast(buffers[1], ctypes.POINTER(ctypes.c_int64))[:length]]
    else:
        values = ctypes.cast(buffers[1], ctypes.POINTER(NUMBERS[kind]))[:length]
    return [value if bits is None or bits[i // 8] >> i % 8 & 1 else None for i, value in enumerate(values)]


def read(source):
    """({name: format}, {name: values}, rows of each batch) of anything with __arrow_c_stream__."""
    capsule = source.__arrow_c_stream__()
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    stream = Stream.from_address(pointer(capsule, b'arrow_array_stream'))
    schema = Schema()
    if stream.get_schema(stream, schema):
        raise OSError(stream.get_last_error(stream).decode())
    kinds = {schema.children[i].contents.name.decode(): schema.children[i].contents.format.decode() for i in range(schema.n_children)}
    columns, batches = {name: [] for name in kinds}, []
    while True:
        batch = Array()
        if code := stream.get_next(stream, batch):
            raise OSError(code, stream.get_last_error(stream).decode())
        if not batch.release:
            break
        batches.append(batch.length)
        for i, (name, kind) in enumerate(kinds.items()):
            columns[name] += column(kind, batch.children[i].contents)
        batch.release(batch)
    schema.release(schema)
    return kinds, columns, batches  # the capsule releases the stream
