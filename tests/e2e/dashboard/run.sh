#!/usr/bin/env bash
# The dashboard in Chromium: installs playwright-core (pinned in package-lock.json) and runs test.mjs.
#   tests/e2e/dashboard/run.sh [FOLDER FOR SCREENSHOTS]
# Status 77: skipped, the last line says why.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
export NETFLOW_BIN_DIR=${NETFLOW_BIN_DIR:-$top/build/release/bin} CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
[ -x "$NETFLOW_BIN_DIR/netflowd" ] || { echo "no netflowd in $NETFLOW_BIN_DIR"; exit 77; }
[ -x "$CHROMIUM" ] || { echo "no browser: $CHROMIUM"; exit 77; }
command -v npm > /dev/null || { echo 'npm is not installed'; exit 77; }
cd "$here"
npm ci --ignore-scripts --no-audit --no-fund --silent || { echo 'npm could not install playwright-core'; exit 77; }
node test.mjs "$@"
