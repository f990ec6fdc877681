# Runs once inside a new root file system, as its first command, without network. Arguments: Python minor versions.
# /mnt/wheels holds pyodide-build and its dependencies; /mnt/requirements.txt pins them by hash.
set -eu
export PATH=/usr/share/emscripten:/usr/lib/llvm-LLVM_VERSION/bin:/usr/bin:/bin EM_CACHE=/opt/emwheels/emscripten-cache HOME=/tmp
mkdir -p "$EM_CACHE"

for python in "$@"; do
    echo "pyodide-build for Python $python"
    "python$python" -m venv "/opt/emwheels/python$python"
    "/opt/emwheels/python$python/bin/pip" install --quiet --disable-pip-version-check --no-index \
        --find-links /mnt/wheels --require-hashes --requirement /mnt/requirements.txt
done

sh /mnt/warm.sh -Wl,--experimental-pic
chmod -R a+rX /opt/emwheels
