#!/usr/bin/env bash
# Closes dist/, serves it on loopback and verifies it with every client; writes the report as JSON to the file that is
# given.
# Usage: ci/verify-local.sh REPORT [option of `emwheels index verify`]...
set -euo pipefail
if [ $# -eq 0 ] || [ "${1#-}" != "$1" ]; then
    echo "usage: ci/verify-local.sh REPORT [option of emwheels index verify]..." >&2
    exit 2
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
report=$1
shift

.venv/bin/emwheels index close
log=$(mktemp)
.venv/bin/emwheels serve --port 0 --quiet > "$log" &
server=$!
trap 'kill "$server" 2> /dev/null || true; rm -f "$log"' EXIT
for _ in $(seq 100); do
    grep -q 'http://' "$log" && break
    kill -0 "$server"
    sleep 0.2
done
address=$(grep -o 'http://[0-9.:]*' "$log" | head -n 1)
.venv/bin/emwheels index verify "$address/simple" --json "$@" > "$report"
