#!/usr/bin/env bash
# All tests, on a bare Debian 12: installs what they need (apt), builds, runs everything, prints a summary.
#   tests/run.sh              everything (under 20 minutes on two cores)
#   tests/run.sh unit gates   only steps whose name contains one of the words
# Logs: build/logs/. Shared test data beside the checkout (../shared, or NETFLOW_SHARED) is used when it is
# there; what needs it is skipped with a message otherwise.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1
words=("$@")
logs=$top/build/logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
export PATH=$PATH:/usr/sbin:/sbin
export NETFLOW_BIN_DIR=$top/build/release/bin
if [ -z "${NETFLOW_SHARED:-}" ] && [ -d ../shared/corpus ]; then
    NETFLOW_SHARED=$(cd ../shared && pwd)
fi
[ -z "${NETFLOW_SHARED:-}" ] || export NETFLOW_SHARED NETFLOW_CORPUS="${NETFLOW_CORPUS:-$NETFLOW_SHARED/corpus}"
# Debian's own interpreter: the Python module is built against its headers.
export PYTHON=/usr/bin/python3

wanted() { # wanted NAME: no words given, or one of them is part of the name
    local word
    [ "${#words[@]}" -gt 0 ] || return 0
    for word in "${words[@]}"; do
        case $1 in *"$word"*) return 0 ;; esac
    done
    return 1
}

step() { # step NAME COMMAND...: status 0 = passed, 77 = skipped (last line of output says why), else failed
    local name=$1 log status=0 start=$SECONDS
    shift
    wanted "$name" || return 0
    log=$logs/$(tr ' /' '--' <<< "$name").log
    "$@" > "$log" 2>&1 < /dev/null || status=$?
    case $status in
        0)
            passed=$((passed + 1))
            printf 'ok    %-28s %4d s   %s\n' "$name" $((SECONDS - start)) "$(grep -E '[0-9]+ (passed|inputs)|tests passed|^Ran ' "$log" | tail -n 1 | cut -c1-80)"
            ;;
        77)
            skipped=$((skipped + 1))
            printf 'skip  %-28s          %s\n' "$name" "$(tail -n 1 "$log" | cut -c1-100)"
            ;;
        *)
            failed=$((failed + 1))
            printf 'FAIL  %-28s %4d s   status %d, log %s\n' "$name" $((SECONDS - start)) "$status" "${log#"$top"/}"
            tail -n 40 "$log" | sed 's/^/      /'
            ;;
    esac
    return "$status"
}

must() { # a step without which nothing else makes sense; it runs whatever the words are
    local saved=("${words[@]}")
    words=()
    step "$@" || { echo "tests/run.sh: cannot go on without '$1'" >&2; exit 1; }
    words=("${saved[@]}")
}

build() { # build PRESET [cmake option...]
    local preset=$1
    shift
    cmake --preset "$preset" "$@" && cmake --build --preset "$preset"
}

# The library and its tools with the fewest options on: libc alone, no warnings.
router_build() {
    build router
    local library=build/router/lib/libnetflow.a
    size -t "$library" | tail -n 1
    if nm -u "$library" | grep -E 'ZSTD|ares_|socket|recvmmsg|MHD'; then
        echo 'the router build needs more than libc'
        return 1
    fi
}

# Install into an empty prefix, then build a program against it with pkg-config and with find_package.
installed_use() {
    local prefix=$top/build/prefix
    rm -rf "$prefix"
    cmake --install build/release --prefix "$prefix" || return 1
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name netflow.pc)")
    export PKG_CONFIG_PATH
    local libdir
    libdir=$(pkg-config --variable=libdir netflow) || return 1
    # shellcheck disable=SC2046
    gcc -o "$prefix/hello-pc" examples/hello/hello.c $(pkg-config --cflags --libs netflow) || return 1
    LD_LIBRARY_PATH=$libdir "$prefix/hello-pc" examples/data/exports.pcap || return 1
    mkdir -p "$prefix/src"
    printf '%s\n' 'cmake_minimum_required(VERSION 3.20)' 'project(use C)' 'find_package(netflow REQUIRED)' \
        "add_executable(hello $top/examples/hello/hello.c)" 'target_link_libraries(hello netflow::netflow)' > "$prefix/src/CMakeLists.txt"
    cmake -S "$prefix/src" -B "$prefix/build" -DCMAKE_PREFIX_PATH="$prefix" && cmake --build "$prefix/build" || return 1
    "$prefix/build/hello" examples/data/exports.pcap || return 1
    test -e "$prefix/bin/netflow" && test -e "$prefix/bin/netflowd" && test -e "$prefix/share/man/man1/netflow.1"
}

shell_check() {
    git ls-files -z -- '*.sh' .ci/run | xargs -0 shellcheck -S warning
}

api_reference() {
    mkdir -p build/doc && doxygen docs/Doxyfile
}

python_tests() { # python_tests FILE: unittest from the standard library; 77 when it skipped every test there is
    local output status=0
    output=$("$PYTHON" "$@" -v 2>&1) || status=$?
    printf '%s\n' "$output"
    [ "$status" -eq 0 ] || return "$status"
    # A run test's line ends in "... ok"; one skipped, or a class skipped by setUpClass, says so with its reason.
    if grep -q ' skipped ' <<< "$output" && ! grep -qE '(^| )ok$' <<< "$output"; then
        grep -m 1 -oE "skipped .*" <<< "$output"
        return 77
    fi
}

# Our own vectors: the encoder still makes them, byte for byte, and the decoder reads what they are known to hold.
corpus_vectors() {
    local made=build/vectors case
    rm -rf "$made"
    PYTHONPATH=build/dev/python "$PYTHON" tests/corpus/make_vectors.py "$made"
    for case in tests/corpus/vectors/conformance/*; do
        cmp "$case/case.pcap" "$made/conformance/${case##*/}/case.pcap" || return 1
    done
    "$PYTHON" tests/corpus/run_corpus.py tests/corpus/vectors
}

must 'packages' tools/packages.sh build demo test peer
must 'build release' build release
step 'build dev' build dev
step 'unit property fuzz' ctest --preset dev -j 2
step 'gates' tests/gates/run.sh build/dev
step 'shell scripts' shell_check
step 'api reference' api_reference
step 'documentation examples' python_tests tests/docs/examples_test.py
step 'build router' router_build
step 'install and use' installed_use
step 'e2e command line' python_tests tests/e2e/cli_test.py
step 'e2e daemon' python_tests tests/e2e/netflowd_test.py
step 'e2e softflowd' python_tests tests/e2e/softflowd_test.py
step 'e2e dashboard' tests/e2e/dashboard/run.sh
step 'e2e encoder peers' python_tests tests/e2e/encoder_test.py
step 'e2e replay' python_tests tests/e2e/replay_test.py
step 'e2e nfreplay' python_tests tests/e2e/nfreplay_test.py
step 'e2e pmacctd' python_tests tests/e2e/pmacctd_test.py
step 'e2e fprobe' python_tests tests/e2e/fprobe_test.py
step 'e2e openvswitch' python_tests tests/e2e/openvswitch_test.py
step 'e2e nfdump filters' python_tests tests/e2e/nfdump_filter_test.py
step 'e2e quickstart' env NETFLOW_PORT=0 NETFLOW_HTTP_PORT=0 examples/quickstart.sh --once
step 'corpus vectors' corpus_vectors
step 'corpus' "$PYTHON" tests/corpus/run_corpus.py
step 'build asan' build asan
step 'sanitizers' ctest --preset asan -j 2

printf '\ntests: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
