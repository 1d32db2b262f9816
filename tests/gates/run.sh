#!/usr/bin/env bash
# Gates of the conventions over a built tree: globals, forbidden imports, exports, headers, padding, layers,
# generated files. Usage: gates/run.sh BUILD_DIR (built with the shared library). Prints one line a gate.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:?usage: gates/run.sh BUILD_DIR}
failed=0

gate() { # gate NAME COMMAND...: a gate passes when the command succeeds and prints nothing to stdout
    local name=$1 out status=0
    shift
    out=$("$@" 2>&1) || status=$?
    if [ "$status" -eq 0 ]; then
        printf 'ok    %s\n' "$name"
    else
        printf 'FAIL  %s\n%s\n' "$name" "$(printf '%s' "$out" | head -n 20 | sed 's/^/      /')"
        failed=1
    fi
}

layer_objects() { # layer_objects LAYER...: object files of these layers
    local layer
    for layer in "$@"; do
        find "$build/libnetflow/$layer" -name '*.o' 2>/dev/null
    done
}

# Objects may live in .rodata or .data.rel.ro only, static locals included.
no_writable_globals() {
    local objects
    objects=$(layer_objects base record wire query sketch enrich detect store net engine)
    [ -n "$objects" ] || { echo "no objects below $build/libnetflow"; return 1; }
    # shellcheck disable=SC2086
    ! objdump -t $objects | grep -v '__odr_asan' | awk '
        / O / && /[ \t]\.(data|bss|tdata|tbss)[.\t ]/ && !/\.data\.rel\.ro/ { print "writable global:", $NF; bad = 1 }
        /\*COM\*/ { print "common symbol:", $NF; bad = 1 }
        END { exit !bad }'
}

# The core reads no clock or environment, opens nothing, prints nothing, starts nothing, never exits.
no_forbidden_imports() {
    local core all
    core='open|openat|fopen|read|pread|write|pwrite|mmap|socket|recv|recvfrom|send|sendto|getenv|secure_getenv|time|clock|clock_gettime|gettimeofday|rand|random|drand48|pthread_create|localtime|gmtime|localtime_r|gmtime_r|setlocale'
    all='exit|_exit|abort|quick_exit|printf|puts|putchar|fprintf|perror|fputs|strcpy|strcat|sprintf|strtok|atoi|atol|gets|alloca|signal|sigaction|atexit|system|popen|strerror|__assert_fail|__isoc99_sscanf|sscanf'
    ! {
        # shellcheck disable=SC2046
        nm -u $(layer_objects base record wire query sketch enrich detect) | awk '{print $2}' | sed 's/@.*//' | grep -xE "$core|$all" | sed 's/^/core imports /'
        # shellcheck disable=SC2046
        nm -u $(layer_objects store net engine) | awk '{print $2}' | sed 's/@.*//' | grep -xE "$all" | sed 's/^/library imports /'
    } | grep .
}

# malloc, realloc and free in base/alloc.c only.
one_place_for_malloc() {
    local object
    ! for object in $(layer_objects base record wire query sketch enrich detect store net engine); do
        case $object in */alloc.c.o) continue ;; esac
        nm -u "$object" | awk '{print $2}' | grep -xE 'malloc|calloc|realloc|free|strdup|asprintf' | sed "s|^|$(basename "$object") uses |"
    done | grep .
}

# Exports are what the headers declare, all prefixed, all versioned.
exports_are_declared() {
    local library=$build/lib/libnetflow.so
    [ -e "$library" ] || { echo "no $library"; return 1; }
    "$top/tools/gen_map.py" --check
    diff <(nm -D --defined-only "$library" | awk '$2 ~ /[TDBR]/ {print $3}' | sed 's/@@.*//' | sort) \
         <(sed -n 's/^ *\(nfl_[a-z0-9_]*\);/\1/p' "$top/libnetflow/libnetflow.map" | sort)
}

headers_stand_alone() {
    local header
    for header in "$top"/include/netflow/*.h; do
        header=netflow/$(basename "$header")
        echo "#include <$header>" | gcc -std=c11 -xc -Wall -Wextra -Wpedantic -Werror -I"$top/include" -fsyntax-only -
        echo "#include <$header>" | g++ -std=c++17 -xc++ -Wall -Wextra -Wpedantic -Werror -I"$top/include" -fsyntax-only -
    done
}

# One layout on every ABI: no hidden padding on 32-bit routers either.
no_padding() {
    local work target
    work=$(mktemp -d)
    {
        echo '#include <netflow/netflow.h>'
        grep -hoE 'typedef struct nfl_[a-z_]+ \{' "$top"/include/netflow/*.h | awk '{print $3 " v_" $3 ";"}'
    } > "$work/layout.c"
    for target in mipsel-linux-gnu arm-linux-gnueabi i386-linux-gnu x86_64-linux-gnu aarch64-linux-gnu; do
        clang --target=$target -ffreestanding -nostdinc -isystem "$(clang -print-resource-dir)/include" -std=c11 \
              -Wpadded -Werror -I"$top/include" -c -emit-llvm -o /dev/null "$work/layout.c" || { rm -r "$work"; return 1; }
    done
    rm -r "$work"
}

files_are_small() {
    ! git -C "$top" ls-files -- '*.c' '*.h' | grep -vE '_table\.|fields\.h$' | while read -r file; do
        lines=$(wc -l < "$top/$file")
        [ "$lines" -le 1000 ] || echo "$file has $lines lines"
    done | grep .
}

no_machine_paths() {
    ! git -C "$top" grep -nE '/(work|home|root)/[a-z]' -- . ':!tests/gates/run.sh' | grep -vE '#!/|/root/\.' | grep .
}

gate 'layers depend downwards only' "$top/tools/check_layers.py"
gate 'field table is up to date' "$top/tools/gen_fields.py" --check
gate 'service table is up to date' "$top/tools/gen_services.py" --check "${NETFLOW_SHARED:-/nonexistent}/registries"
gate 'element table is up to date' "$top/tools/gen_elements.py" --check "${NETFLOW_SHARED:-/nonexistent}/registries"
gate 'no writable global' no_writable_globals
gate 'no forbidden import' no_forbidden_imports
gate 'malloc in one place' one_place_for_malloc
gate 'exports are declared' exports_are_declared
gate 'headers stand alone in C11 and C++17' headers_stand_alone
gate 'no hidden padding on any ABI' no_padding
gate 'no source file over 1000 lines' files_are_small
gate 'no path of a machine' no_machine_paths
exit $failed
