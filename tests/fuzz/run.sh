#!/usr/bin/env bash
# Fuzz every target with libFuzzer, ASan and UBSan: tests/fuzz/run.sh [SECONDS PER TARGET] [TARGET...]
# New inputs go to build/fuzz/corpus/TARGET; crashes to build/fuzz/crash-*. Needs clang.
# The corpus in the tree is the fewest inputs that reach every edge known so far. To make it anew from what was found:
#   build/fuzz/bin/fuzz_X -merge=1 -use_counters=0 -max_len=2000 NEW tests/corpus/X build/fuzz/corpus/X
# The same targets under AFL++ (Debian package afl++): configure as the preset fuzz does, but into another directory and
# with -DCMAKE_C_COMPILER=afl-clang-fast, then  afl-fuzz -m none -i tests/corpus/X -o OUT -- DIR/bin/fuzz_X
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
seconds=${1:-60}
shift $(($# > 0 ? 1 : 0))
cmake --preset fuzz > /dev/null
cmake --build --preset fuzz > build/fuzz/build.log 2>&1 || { tail -n 30 build/fuzz/build.log >&2; exit 1; }
if [ $# -eq 0 ]; then
    for binary in build/fuzz/bin/fuzz_*; do set -- "$@" "${binary##*/fuzz_}"; done
fi
for target in "$@"; do
    mkdir -p "build/fuzz/corpus/$target"
    printf '%-12s ' "$target"
    "build/fuzz/bin/fuzz_$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
        -artifact_prefix=build/fuzz/ "build/fuzz/corpus/$target" "tests/corpus/$target" > "build/fuzz/$target.log" 2>&1 ||
        { tail -n 30 "build/fuzz/$target.log"; exit 1; }
    grep -E 'stat::number_of_executed_units|stat::peak_rss_mb' "build/fuzz/$target.log" | awk '{printf "%s %s  ", $1, $2}'
    grep -oE 'cov: [0-9]+' "build/fuzz/$target.log" | tail -n 1
done
