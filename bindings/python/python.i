/* Python: errors are exceptions, addresses are text, times are datetime, absent is None. */
%feature("compactdefaultargs");
%feature("kwargs");

%{
#include <datetime.h>

static PyObject *binding_Error; /* netflow.Error; one per process, made when the module is imported */

static void binding_raise(const nfl_error *err)
{
    PyObject *column = err->offset == NFL_NO_OFFSET ? Py_NewRef(Py_None) : PyLong_FromUnsignedLongLong(err->offset);
    PyObject *args = Py_BuildValue("(sisN)", err->message, (int)err->code, nfl_status_name(err->code), column);
    if (args) {
        PyErr_SetObject(binding_Error, args);
        Py_DECREF(args);
    }
}

/* Microseconds as an aware datetime; times outside of datetime's years as None. */
static PyObject *binding_datetime(int64_t us)
{
    int64_t seconds = us / 1000000, rest = us % 1000000;
    if (rest < 0) {
        seconds--;
        rest += 1000000;
    }
    PyObject *args = Py_BuildValue("(LO)", (long long)seconds, PyDateTime_TimeZone_UTC);
    PyObject *whole = args ? PyDateTime_FromTimestamp(args) : NULL;
    Py_XDECREF(args);
    if (!whole) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    PyObject *delta = PyDelta_FromDSU(0, 0, (int)rest);
    PyObject *sum = delta ? PyNumber_Add(whole, delta) : NULL;
    Py_DECREF(whole);
    Py_XDECREF(delta);
    return sum;
}

static PyObject *binding_value(const nfl_value *value)
{
    char text[NFL_VALUE_TEXT_SIZE];
    if (!value->present)
        Py_RETURN_NONE;
    switch (value->kind) {
    case NFL_KIND_TIME:
        return binding_datetime((int64_t)value->u64);
    case NFL_KIND_DURATION:
        return PyFloat_FromDouble((double)(int64_t)value->u64 / 1e6);
    case NFL_KIND_ADDRESS:
    case NFL_KIND_MAC:
    case NFL_KIND_APP:
    case NFL_KIND_COUNTRY:
        nfl_value_format(value, NFL_TEXT_PLAIN, text, sizeof text);
        return PyUnicode_FromString(text);
    default:
        return PyLong_FromUnsignedLongLong(value->u64);
    }
}

/* Consumers that take a stream out of its capsule leave it released. */
static void binding_arrow_done(struct ArrowArrayStream *stream)
{
    if (stream->release)
        stream->release(stream);
    PyMem_RawFree(stream);
}

static void binding_arrow_free(PyObject *capsule)
{
    binding_arrow_done(PyCapsule_GetPointer(capsule, "arrow_array_stream"));
}

/* The current row of a cursor as a tuple. */
static PyObject *binding_row(const nfl_cursor *cursor)
{
    uint32_t width = nfl_cursor_columns(cursor);
    PyObject *row = PyTuple_New(width);
    for (uint32_t i = 0; row && i < width; i++) {
        nfl_value value = {.struct_size = sizeof value};
        nfl_cursor_get(cursor, i, &value);
        PyObject *item = binding_value(&value);
        if (!item) {
            Py_DECREF(row);
            return NULL;
        }
        PyTuple_SET_ITEM(row, i, item);
    }
    return row;
}
%}
%init %{
    PyDateTime_IMPORT;
    binding_Error = PyErr_NewExceptionWithDoc(
        "netflow.Error", "A call failed. Attributes: message, code (number), name (\"NFL_E_...\"), offset (byte or column, or None).",
        PyExc_ValueError, NULL);
    Py_INCREF(binding_Error);
    PyModule_AddObject(m, "Error", binding_Error);
%}
%pythonbegin %{
"""Flow telemetry: decode NetFlow, IPFIX and sFlow, keep flows, ask questions, detect scans.

    import netflow
    for flow in netflow.open("capture.pcap", "dst port 443"):
        print(flow.first, flow.src, flow.bytes)
    with netflow.Store("flows", create=True) as store:
        for row in store.query(group_by="src", limit=10):
            print(row["src"], row["bytes"])

Times are aware datetimes in UTC, addresses are text, what an exporter did not send is None.
"""
%}
%pythoncode %{
from _netflow import Error
Error.message = property(lambda self: self.args[0])
Error.code = property(lambda self: self.args[1])
Error.name = property(lambda self: self.args[2])
Error.offset = property(lambda self: self.args[3])
Error.__str__ = lambda self: self.args[0]
%}

%typemap(in, numinputs=0) nfl_error *err (nfl_error e) {
    memset(&e, 0, sizeof e);
    $1 = &e;
}
%typemap(argout) nfl_error *err {
    if ($1->code < 0) {
        Py_XDECREF($result);
        binding_raise($1);
        SWIG_fail;
    }
}
%typemap(out) nfl_status {
    $result = SWIG_Py_Void();
}
%typemap(in) (const void *data, size_t len) (Py_buffer view) {
    if (PyObject_GetBuffer($input, &view, PyBUF_CONTIG_RO) < 0) {
        view.obj = NULL;
        SWIG_fail;
    }
    $1 = view.buf;
    $2 = (size_t)view.len;
}
%typemap(arginit) (const void *data, size_t len) {
    view$argnum.obj = NULL;
}
%typemap(freearg) (const void *data, size_t len) {
    if (view$argnum.obj)
        PyBuffer_Release(&view$argnum);
}
%typemap(in) const nfl_ip *exporter (nfl_ip ip) {
    nfl_error e;
    const char *text = PyUnicode_Check($input) ? PyUnicode_AsUTF8($input) : NULL;
    if (!text)
        SWIG_exception_fail(SWIG_TypeError, "exporter: an address as str expected");
    if (nfl_ip_parse(text, &ip, &e) < 0) {
        binding_raise(&e);
        SWIG_fail;
    }
    $1 = &ip;
}
%typemap(out) nfl_value {
    $result = binding_value(&$1);
}
%typemap(out) binding_bytes {
    $result = $1.data ? PyBytes_FromStringAndSize((const char *)$1.data, (Py_ssize_t)$1.len) : SWIG_Py_Void();
}
%typemap(out) binding_topk_items {
    $result = PyList_New(0);
    for (size_t i = 0; $result && i < $1.count; i++) {
        PyObject *item = Py_BuildValue("(y#KKO)", (const char *)$1.items[i].key, (Py_ssize_t)$1.key_len,
                                       (unsigned long long)$1.items[i].weight, (unsigned long long)$1.items[i].max_error,
                                       $1.items[i].certain ? Py_True : Py_False);
        if (!item || PyList_Append($result, item) < 0)
            Py_CLEAR($result);
        Py_XDECREF(item);
    }
    free($1.items);
}
/* Rows in one call: up to n tuples. */
%typemap(out) PyObject * {
    $result = $1;
}
%extend nfl_cursor {
    PyObject *fetch(size_t n, nfl_error *err) {
        PyObject *rows = PyList_New(0);
        while (rows && n-- > 0) {
            nfl_status status = nfl_cursor_next($self, err);
            if (status != NFL_OK)
                break;
            PyObject *row = binding_row($self);
            if (!row || PyList_Append(rows, row) < 0)
                Py_CLEAR(rows);
            Py_XDECREF(row);
        }
        return rows;
    }
    /* The rows that are left, for the Arrow PyCapsule protocol. */
    PyObject *_arrow(nfl_error *err) {
        struct ArrowArrayStream *stream = PyMem_RawCalloc(1, sizeof *stream);
        if (!stream)
            return PyErr_NoMemory();
        PyObject *capsule = NULL;
        if (nfl_cursor_arrow($self, 0, 0, stream, err) == NFL_OK)
            capsule = PyCapsule_New(stream, "arrow_array_stream", binding_arrow_free);
        if (!capsule)
            binding_arrow_done(stream);
        return capsule;
    }
}
