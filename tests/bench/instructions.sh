#!/usr/bin/env bash
# Instructions per decoded record, counted by valgrind, so that the load of the machine does not matter.
#   tests/bench/instructions.sh PROGRAM [PROFILE]     PROGRAM is nfl_bench_decode of a Release build
# The difference between 11 and 1 rounds over the same datagrams leaves out making them. PROFILE names a folder for the
# callgrind files of the longer runs: callgrind_annotate shows where the instructions go.
set -eu
program=${1:?usage: instructions.sh PROGRAM [PROFILE]}
command -v valgrind > /dev/null || { echo "no valgrind: skipped" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
profile=${2:-$work}
mkdir -p "$profile"

count() { # count VERSION RECORDS TIMES: records decoded, instructions
    valgrind --tool=callgrind --callgrind-out-file="$profile/v$1-$2" "$program" "$1" "$2" "$3" \
        > "$work/records" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
    echo "$(cat "$work/records") $(sed -n 's/.*Collected : //p' "$work/log")"
}

for version in 5 9 10; do
    for records in 1 20 30; do
        read -r few_records few <<< "$(count "$version" "$records" 1)"
        read -r many_records many <<< "$(count "$version" "$records" 11)"
        awk -v v="$version" -v r="$records" -v i=$((many - few)) -v n=$((many_records - few_records)) \
            'BEGIN {printf "decode version %2d, %2d records a datagram: %6.1f instructions/record\n", v, r, i / n}'
    done
done
