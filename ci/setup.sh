#!/usr/bin/env bash
# What a runner needs before the first emwheels command: the way into the build image, and the library in .venv.
# For Debian and Ubuntu, as root or with sudo. Does nothing that is done already. EMWHEELS_EXTRA=sign adds an extra.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
missing=()
for tool in bwrap:bubblewrap mmdebstrap:mmdebstrap newuidmap:uidmap; do
    command -v "${tool%%:*}" > /dev/null || missing+=("${tool##*:}")
done
python3 -c 'import ensurepip' 2> /dev/null || missing+=(python3-venv)
if [ "${#missing[@]}" -gt 0 ]; then
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" apt-get install -qq -y --no-install-recommends \
        ca-certificates debian-archive-keyring "${missing[@]}" > /dev/null
fi
# Ubuntu 24.04 and newer let nobody but root make the namespaces that the sandbox is made of.
restriction=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
if [ -r "$restriction" ] && [ "$(cat "$restriction")" = 1 ]; then
    "${as_root[@]}" sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0
fi
if [ ! -x .venv/bin/emwheels ]; then
    python3 -m venv .venv
    what=(--editable ".${EMWHEELS_EXTRA:+[$EMWHEELS_EXTRA]}")
    if [ -f emwheels.toml ]; then  # a repository of one's own
        what=(--requirement requirements.txt ${EMWHEELS_EXTRA:+"emwheels[$EMWHEELS_EXTRA]"})
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "${what[@]}"
fi
.venv/bin/emwheels --version
