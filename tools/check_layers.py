#!/usr/bin/env python3
"""Check that the layers of libnetflow depend on each other downwards only.

Reads the #include "layer/file.h" lines of libnetflow/ and fails on an include of a higher layer, on an
include between siblings that the design does not allow, on a cycle between files, and on programs or
bindings that include anything but <netflow/...> of the library.
"""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent

# What each layer may include besides itself. sketch, enrich and detect are siblings.
BELOW = {
    'base': [],
    'record': ['base'],
    'wire': ['base', 'record'],
    'query': ['base', 'record'],
    'sketch': ['base', 'record', 'query'],
    'enrich': ['base', 'record', 'query'],
    'detect': ['base', 'record', 'query'],
    'store': ['base', 'record', 'wire', 'query', 'sketch', 'enrich', 'detect'],
    'net': ['base', 'record', 'wire', 'query', 'sketch', 'enrich', 'detect', 'store'],
    'engine': ['base', 'record', 'wire', 'query', 'sketch', 'enrich', 'detect', 'store', 'net'],
}
# Public headers of a layer, for includes of <netflow/x.h>.
PUBLIC = {
    'base': ['base'],
    'record': ['ip', 'time', 'fields', 'flow', 'element'],
    'wire': ['parser', 'list', 'encoder', 'pcap', 'stream'],
    'query': ['arrow', 'filter', 'query'],
    'sketch': ['topk'],
    'enrich': ['enrich', 'resolver'],
    'detect': ['connection', 'detect'],
    'store': ['store', 'capture'],
    'net': ['tcp', 'udp', 'dns'],
    'engine': ['engine'],
}
LAYER_OF_HEADER = {h: layer for layer, headers in PUBLIC.items() for h in headers}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<netflow/([a-z_]+)\.h>)', re.M)


def includes(path):
    for quoted, public in INCLUDE.findall(path.read_text()):
        yield quoted or f'netflow/{public}.h'


def check_library(problems):
    graph = {}
    for path in sorted((TOP / 'libnetflow').rglob('*.[ch]')):
        name = path.relative_to(TOP / 'libnetflow').as_posix()
        layer = name.split('/')[0]
        graph[name] = []
        for target in includes(path):
            if target.startswith('netflow/'):
                header = target[len('netflow/'):-len('.h')]
                other = LAYER_OF_HEADER.get(header)
                if other is None:
                    problems.append(f'{name}: <{target}> is no single module; name the headers that are needed')
                    continue
            elif (path.parent / target).exists() and '/' not in target:
                other, target = layer, f'{layer}/{target}'
                graph[name].append(target)
            else:
                other = target.split('/')[0]
                graph[name].append(target)
            if other not in BELOW:
                problems.append(f'{name}: "{target}" is in no layer')
            elif other != layer and other not in BELOW[layer]:
                problems.append(f'{name}: layer {layer} may not include {target} of layer {other}')
    return graph


def check_public(problems):
    for path in sorted((TOP / 'include/netflow').glob('*.h')):
        layer = LAYER_OF_HEADER.get(path.stem)
        if path.stem == 'netflow':
            continue
        if layer is None:
            problems.append(f'{path.name}: not listed with a layer in tools/check_layers.py')
            continue
        for target in includes(path):
            other = LAYER_OF_HEADER.get(pathlib.PurePosixPath(target).stem)
            if other != layer and other not in BELOW[layer]:
                problems.append(f'netflow/{path.name}: layer {layer} may not include {target} of layer {other}')


def check_cycles(graph, problems):
    state = {}

    def visit(name, trail):
        if state.get(name) == 'done' or name not in graph:
            return
        if state.get(name) == 'open':
            problems.append('cycle: ' + ' -> '.join(trail[trail.index(name):] + [name]))
            return
        state[name] = 'open'
        for target in graph[name]:
            visit(target, trail + [name])
        state[name] = 'done'

    for name in graph:
        visit(name, [])


def check_users(problems):
    internal = re.compile('|'.join(f'{layer}/' for layer in BELOW))
    for folder in ('examples', 'bindings'):
        for path in sorted((TOP / folder).rglob('*.[ch]')):
            for target in includes(path):
                if internal.match(target):
                    problems.append(f'{path.relative_to(TOP)}: includes {target}, only <netflow/...> is allowed')


def main():
    problems = []
    graph = check_library(problems)
    check_public(problems)
    check_cycles(graph, problems)
    check_users(problems)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f'{len(graph)} files, no upward include, no cycle')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
