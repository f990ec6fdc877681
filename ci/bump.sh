#!/usr/bin/env bash
# Tries newer versions of recipes and keeps each that builds and passes as FOLDER/NAME.patch, of recipe and tables.
# usage: ci/bump.sh FOLDER NAME...    It changes the checkout and puts it back. Exits with 1 if one did not pass.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "$#" -lt 2 ]; then
    echo "usage: ci/bump.sh FOLDER NAME..." >&2
    exit 2
fi
folder=$1
shift
mkdir -p "$folder"
failed=0
for name in "$@"; do
    if .venv/bin/emwheels bump "$name" 2>&1 | tee "$folder/$name.txt"; then
        # Its rows only: the wheels of others need not be in this machine's cache.
        .venv/bin/emwheels tables "$name" || echo "$name: docs/ is as it was"
        git add --all recipes docs
        git diff --cached --binary > "$folder/$name.patch"
        [ -s "$folder/$name.patch" ] || rm "$folder/$name.patch"
    else
        failed=1
    fi
    git reset --quiet --hard
done
exit "$failed"
