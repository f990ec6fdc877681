#!/usr/bin/env bash
# Logs in to the registry of EMWHEELS_REMOTE (oci://HOST/NAME), where jobs share what they built.
set -euo pipefail
if [ -z "${EMWHEELS_REMOTE:-}" ]; then
    echo "the variable EMWHEELS_REMOTE is not set: ci/README.md says to what" >&2
    exit 2
fi
host=${EMWHEELS_REMOTE#oci://}
printf '%s' "$TOKEN" | podman login "${host%%/*}" --username "$ACTOR" --password-stdin
