#!/usr/bin/env bash
# Make sure that Debian packages are there: packages.sh GROUP... (groups of tests/packages.txt).
# Installs what is missing with apt; says plainly what is missing when it cannot.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)

wanted=()
for group in "$@"; do
    read -ra names <<< "$(sed -n "s/^$group //p" "$top/tests/packages.txt")"
    [ "${#names[@]}" -gt 0 ] || { echo "packages.sh: no group '$group' in tests/packages.txt" >&2; exit 2; }
    wanted+=("${names[@]}")
done

missing=()
for name in "${wanted[@]}"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' && continue
    # node and npm may come from elsewhere than Debian's packages
    case $name in nodejs) command -v node > /dev/null && continue ;; npm) command -v npm > /dev/null && continue ;; esac
    missing+=("$name")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

echo "installing: ${missing[*]}"
if ! command -v apt-get > /dev/null; then
    echo "packages.sh: no apt-get here; install these yourself and start again: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2> /dev/null; then
        as_root=(sudo)
    else
        echo "packages.sh: not root and no sudo; ask an administrator for: apt-get install ${missing[*]}" >&2
        exit 1
    fi
fi
log=$(mktemp)
install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" > "$log" 2>&1
}
if ! install; then
    "${as_root[@]}" apt-get update -q > "$log" 2>&1 || { tail -n 5 "$log" >&2; echo "packages.sh: apt-get update failed (network?)" >&2; exit 1; }
    install || { tail -n 15 "$log" >&2; echo "packages.sh: could not install: ${missing[*]}" >&2; exit 1; }
fi
rm -f "$log"
