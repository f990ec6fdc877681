# Installs a cross-build environment and Emscripten under /mnt/xbuildenv by pyodide-build, in the image, without network.
# /mnt/given holds xbuildenv.tar, emsdk/ (its source, whose downloads/ is there already) and warm.sh.
# Argument: Emscripten's version.
set -eu
unset EM_FROZEN_CACHE PYODIDE_ROOT
version=$1
home=/mnt/xbuildenv/home

echo "emsdk as a git repository"
cd /mnt/given/emsdk
rm -rf .git
git init --quiet
git add --force --all
git -c user.name=emwheels -c user.email=emwheels@localhost commit --quiet --message "emsdk $version"

cd /mnt/given
mkdir "$home"
pyodide xbuildenv install --path "$home" --url file:///mnt/given/xbuildenv.tar
pyodide xbuildenv install-emscripten --path "$home" --version "$version"
installed=$(readlink -f "$home/xbuildenv")
mv "$installed/xbuildenv" "$installed/emsdk" /mnt/xbuildenv/
rm -rf "$home" /mnt/xbuildenv/emsdk/.git /mnt/xbuildenv/emsdk/downloads

found=$(emcc -dumpversion)
if [ "$found" != "$version" ]; then
    echo "emsdk installed Emscripten $found instead of $version" >&2
    exit 1
fi
sh /mnt/given/warm.sh

export PYODIDE_ROOT=/mnt/xbuildenv/xbuildenv/pyodide-root
python - <<'PYTHON'
import json, subprocess

def flags(name):
    shown = subprocess.run(["pyodide", "config", "get", name], check=True, capture_output=True, text=True)
    return shown.stdout.strip().removesuffix("-Oz").strip()

with open("/mnt/xbuildenv/flags.json", "w") as file:
    json.dump({name: flags(name) for name in ("cflags", "ldflags")}, file, indent=1)
PYTHON
